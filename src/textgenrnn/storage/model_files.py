"""Saving and loading models; a file's format follows from its name, and from its content."""

from __future__ import annotations

from pathlib import Path

from textgenrnn.errors import ConfigError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import keras_hdf5, safetensors_format
from textgenrnn.storage.atomic import check_writable
from textgenrnn.storage.keras_companions import companion_paths
from textgenrnn.storage.kinds import identify_model_file
from textgenrnn.text.files import StrPath

__all__ = ["check_savable", "load_model", "save_model"]

_HDF5_SUFFIXES = {".hdf5", ".h5"}


def save_model(
    model: LanguageModel, path: StrPath, *, half: bool = False, companions: bool = True
) -> None:
    """Write a model into one file, which then equals the model in memory.

    Args:
        model: What to save.
        path: Where; an existing file is replaced in one step. A name that ends in ``.hdf5`` or
            ``.h5`` makes it Keras HDF5, any other safetensors.
        half: Whether to store 16-bit numbers: half the size, at a small loss of precision.
        companions: Whether to write the ``_vocab.json`` and ``_config.json`` that belong to Keras
            HDF5 too; we need them no more, the original does.

    Raises:
        FileAccessError: If the file cannot be written; an existing one is unchanged then.
        ConfigError: If the model does not fit into the format.
    """
    if not _is_hdf5(path):
        safetensors_format.save_model(model, path, half=half)
    elif half:
        raise ConfigError(
            f"`half` must be False for Keras HDF5, got True for `{path}`; leave it out, or give a "
            "name that ends in .safetensors."
        )
    else:
        keras_hdf5.save_keras_model(model, path, companions=companions)


def check_savable(path: StrPath, *, companions: bool = True) -> None:
    """Check that :func:`save_model` can write a model to a file, and leave nothing behind.

    Meant for the start of a training, so that hours of work do not end in an error.

    Raises:
        FileAccessError: If the file, or one that belongs to it, cannot be written.
    """
    check_writable(path)
    if _is_hdf5(path) and companions:
        for companion in companion_paths(path):
            check_writable(companion)


def load_model(
    path: StrPath, vocab_path: StrPath | None = None, config_path: StrPath | None = None
) -> LanguageModel:
    """Read a model from a file, whatever its name.

    Args:
        path: A .safetensors or Keras HDF5 file.
        vocab_path: Vocabulary of a Keras HDF5 file that comes without it (JSON).
        config_path: Configuration of a Keras HDF5 file that comes without it (JSON).

    Warns:
        ModelFileWarning: If a Keras HDF5 file says less than is needed.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is no model of a known format, damaged, or inconsistent.
        ConfigError: If a path is given that the format has no use for.
    """
    if identify_model_file(path) == "hdf5":
        return keras_hdf5.load_keras_model(path, vocab_path, config_path)
    for name, value in (("vocab_path", vocab_path), ("config_path", config_path)):
        if value is not None:
            raise ConfigError(
                f"`{name}` must be None for a .safetensors file, which holds everything, got "
                f"`{value}` for `{path}`."
            )
    return safetensors_format.load_model(path)


def _is_hdf5(path: StrPath) -> bool:
    return Path(path).suffix.lower() in _HDF5_SUFFIXES
