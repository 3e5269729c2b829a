"""A model as one safetensors file: parameters as tensors, all else as JSON in its metadata.

The metadata has one key, ``textgenrnn``, holding compact JSON with sorted keys, so that equal
models give equal bytes::

    {"config": {…}, "format_version": 1, "tokens": ["e", "t", …, "<s>"], "training": {…}}

``config`` holds the fields of :class:`~textgenrnn.config.ModelConfig`, ``tokens`` the vocabulary
in the order of its ids, ``training`` what is known about how the model was trained. The tensors
are those of :mod:`textgenrnn.network.parameters`, as 32-bit or 16-bit floats. The format is
described at https://huggingface.co/docs/safetensors; nothing in it can run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ConfigError, ModelFileError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray
from textgenrnn.storage.atomic import atomic_write
from textgenrnn.storage.json_text import to_json
from textgenrnn.storage.kinds import REMEDY, identify_model_file
from textgenrnn.text.files import StrPath, explain_read_error
from textgenrnn.tokenizers import restore_tokenizer

__all__ = ["FORMAT_VERSION", "load_model", "read_metadata", "save_model"]

FORMAT_VERSION = 1

_KEY = "textgenrnn"
_FIELDS = {"config": dict, "tokens": list, "training": dict}


def save_model(model: LanguageModel, path: StrPath, *, half: bool = False) -> None:
    """Write a model, replacing an existing file in one step.

    Args:
        model: What to save.
        path: Where.
        half: Whether to store the parameters as 16-bit floats.

    Raises:
        FileAccessError: If the file cannot be written.
        ConfigError: If ``training`` holds more than JSON types, or a parameter is too large for
            16 bits.
    """
    tensors: dict[str, npt.NDArray[Any]] = dict(model.parameters)
    if half:
        tensors = {name: _to_half(name, values) for name, values in model.parameters.items()}
    data = save(tensors, {_KEY: _to_json(model)})
    with atomic_write(path) as file:
        file.write(data)


def load_model(path: StrPath) -> LanguageModel:
    """Read a model; 16-bit parameters become 32-bit ones.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is of another kind, truncated, damaged or inconsistent, or from a
            newer version.
    """
    metadata, parameters = _read(path, with_parameters=True)
    try:
        config = ModelConfig.from_dict(metadata["config"])
        # The shapes of a network are listed layer by layer, so a damaged number must not get there.
        if config.num_layers > len(parameters):
            raise ModelFileError(
                f"the configuration has {config.num_layers:,} layers, but the file holds only "
                f"{len(parameters)} parameters."
            )
        tokenizer = restore_tokenizer(config.level, metadata["tokens"])
        return LanguageModel(config, parameters, tokenizer, metadata["training"])
    except ValueError as error:  # ConfigError, ModelFileError, numbers too long to be printed
        raise ModelFileError(f"cannot load `{path}`: {error}") from error


def read_metadata(path: StrPath) -> dict[str, Any]:
    """Return ``format_version``, ``config``, ``tokens`` and ``training`` of a file.

    Parameters are not read, and not all values are checked; see :func:`load_model`.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is no textgenrnn model, or damaged.
    """
    return _read(path, with_parameters=False)[0]


def _to_half(name: str, values: FloatArray) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ConfigError(
            f"`{name}` holds values above 65,504, too large for 16 bits; save with half=False."
        )
    return half


def _to_json(model: LanguageModel) -> str:
    content = {
        "format_version": FORMAT_VERSION,
        "config": model.config.to_dict(),
        "tokens": model.tokenizer.vocabulary.tokens,
        "training": dict(model.training),
    }
    try:
        return to_json(content, compact=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the model's `training` must hold JSON types and finite numbers only: {error}."
        ) from error


def _read(path: StrPath, *, with_parameters: bool) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Return a file's own metadata, and its parameters if asked for."""
    if identify_model_file(path) != "safetensors":
        raise ModelFileError(f"`{path}` is a Keras HDF5 file, expected a .safetensors file.")
    try:
        _check_length(path)
        with safe_open(path, framework="np") as file:
            metadata = _parse_metadata(path, file.metadata() or {})
            names = file.keys() if with_parameters else []
            parameters = {name: _read_tensor(path, file, name) for name in names}
    except OSError as error:
        raise explain_read_error(path, error) from error
    except SafetensorError as error:
        raise ModelFileError(f"`{path}` is truncated or damaged ({error}); {REMEDY}.") from error
    return metadata, parameters


def _check_length(path: StrPath) -> None:
    """Raise a fitting error if a file ends inside its header."""
    with Path(path).open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        size = file.seek(0, os.SEEK_END)
    if size < 8 + header_bytes:
        raise ModelFileError(
            f"`{path}` is truncated: it ends inside its header, after {size:,} bytes; {REMEDY}."
        )


def _parse_metadata(path: StrPath, metadata: dict[str, str]) -> dict[str, Any]:
    """Return the content of our metadata key, its outermost types checked."""
    if _KEY not in metadata:
        origin = f" (its format is {metadata['format']!r})" if "format" in metadata else ""
        raise ModelFileError(
            f"`{path}` is a safetensors file of another program{origin}, expected one that "
            "textgenrnn saved."
        )
    try:
        content = json.loads(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"`{path}` is damaged: its metadata is not valid JSON ({error}); {REMEDY}."
        ) from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise ModelFileError(
            f"`{path}` is damaged: its metadata has no valid `format_version`; {REMEDY}."
        )
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"`{path}` was saved by a newer textgenrnn (file format {version}, this one knows "
            f"{FORMAT_VERSION}); update it: pip install --upgrade textgenrnn"
        )
    for name, kind in _FIELDS.items():
        if not isinstance(content.get(name), kind):
            raise ModelFileError(
                f"`{path}` is damaged: `{name}` in its metadata must be a {kind.__name__}, got "
                f"{type(content.get(name)).__name__}; {REMEDY}."
            )
    return dict(content)


def _read_tensor(path: StrPath, file: Any, name: str) -> FloatArray:
    # `file` is a safe_open, which has no types.
    dtype = file.get_slice(name).get_dtype()
    if dtype not in {"F32", "F16"}:
        raise ModelFileError(
            f"cannot load `{path}`: `{name}` is stored as {dtype}, expected F32 or F16."
        )
    values: FloatArray = file.get_tensor(name).astype(np.float32, copy=False)
    # Read-only arrays go into a model without being copied.
    values.flags.writeable = False
    return values
