"""Train your own text generator on any text, on the computer you have, in minutes.

Example:
    >>> from textgenrnn import textgenrnn
    >>> textgen = textgenrnn()                                          # doctest: +SKIP
    >>> textgen.train_from_file("cities.txt", minutes=1)                # doctest: +SKIP
    >>> textgen.generate(5)                                             # doctest: +SKIP
    >>> textgen.save("cities.safetensors")                              # doctest: +SKIP

The names below are all that is public at this level; each is imported when it is first used, so
that ``import textgenrnn`` costs nothing and generating never loads PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textgenrnn._version import __version__
    from textgenrnn.api import textgenrnn
    from textgenrnn.config import ModelConfig, SamplingConfig, TrainConfig
    from textgenrnn.errors import (
        ConfigError,
        DataError,
        FileAccessError,
        MissingExtraError,
        ModelFileError,
        NotTrainedError,
        TextgenrnnError,
    )
    from textgenrnn.generation.result import GenerationResult, GenerationWarning

_HOMES = {
    "ConfigError": "errors",
    "DataError": "errors",
    "FileAccessError": "errors",
    "GenerationResult": "generation.result",
    "GenerationWarning": "generation.result",
    "MissingExtraError": "errors",
    "ModelConfig": "config",
    "ModelFileError": "errors",
    "NotTrainedError": "errors",
    "SamplingConfig": "config",
    "TextgenrnnError": "errors",
    "TrainConfig": "config",
    "__version__": "_version",
    "textgenrnn": "api",
}

__all__ = [
    "ConfigError",
    "DataError",
    "FileAccessError",
    "GenerationResult",
    "GenerationWarning",
    "MissingExtraError",
    "ModelConfig",
    "ModelFileError",
    "NotTrainedError",
    "SamplingConfig",
    "TextgenrnnError",
    "TrainConfig",
    "__version__",
    "textgenrnn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
