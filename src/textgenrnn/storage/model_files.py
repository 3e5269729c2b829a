"""Saving and loading models; a file's format follows from its name."""

from __future__ import annotations

from pathlib import Path

from textgenrnn.errors import ConfigError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import safetensors_format
from textgenrnn.storage.atomic import check_writable
from textgenrnn.text.files import StrPath

__all__ = ["check_savable", "load_model", "save_model"]

_HDF5_SUFFIXES = {".hdf5", ".h5"}


def save_model(model: LanguageModel, path: StrPath, *, half: bool = False) -> None:
    """Write a model into one file, which then equals the model in memory.

    Args:
        model: What to save.
        path: Where; an existing file is replaced in one step.
        half: Whether to store 16-bit numbers: half the size, at a small loss of precision.

    Raises:
        FileAccessError: If the file cannot be written; an existing one is unchanged then.
        ConfigError: If the format is not supported, or the model does not fit into it.
    """
    _check_format(path)
    safetensors_format.save_model(model, path, half=half)


def check_savable(path: StrPath) -> None:
    """Check that :func:`save_model` can write a model to a file, and leave nothing behind.

    Meant for the start of a training, so that hours of work do not end in an error.

    Raises:
        FileAccessError: If the file cannot be written.
        ConfigError: If its format is not supported.
    """
    _check_format(path)
    check_writable(path)


def load_model(path: StrPath) -> LanguageModel:
    """Read a model from a file.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is no model of a known format, damaged, or inconsistent.
    """
    return safetensors_format.load_model(path)


def _check_format(path: StrPath) -> None:
    if Path(path).suffix.lower() in _HDF5_SUFFIXES:
        raise ConfigError(
            f"cannot save `{path}`: writing Keras HDF5 files is not supported yet; give a name "
            f"that ends in .safetensors, such as `{Path(path).with_suffix('.safetensors').name}`."
        )
