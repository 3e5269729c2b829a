"""Models that come with the package: text from the first call, and a start for training.

How they were made and what they are good for stands in the model card beside each file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from textgenrnn.config import suggest
from textgenrnn.errors import ConfigError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import load_model

__all__ = ["BASES", "DEFAULT_BASE", "base_path", "check_base", "load_base"]

BASES = {"en": "English titles and sentences"}
"""Names of the bundled models, and what each learned."""

DEFAULT_BASE = "en"


def check_base(name: str) -> None:
    """Refuse a name that no bundled model has.

    Raises:
        ConfigError: Naming those that there are.
    """
    if name not in BASES:
        raise ConfigError(
            f"there is no bundled model {name!r}{suggest(name, BASES)}; there is "
            f"{', '.join(BASES)}. A file is given by its path."
        )


def base_path(name: str) -> Path:
    """Return the file of a bundled model.

    Raises:
        ConfigError: If there is none of this name.
    """
    check_base(name)
    return Path(__file__).with_name(f"{name}.safetensors")


@cache
def load_base(name: str) -> LanguageModel:
    """Return a bundled model, loaded once.

    Raises:
        ConfigError: If there is none of this name.

    Example:
        >>> load_base("en").config.form
        'recurrent'
    """
    return load_model(base_path(name))
