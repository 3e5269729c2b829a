"""Reading and writing HDF5 files of Keras's kind: bytes in, layers and attributes out.

Only what such a file needs is read: numbers and text that lie in the file itself. Links into
other files, virtual datasets and datasets that claim to be larger than the file allows are
refused. ``h5py`` is imported when it is first needed.

HDF5 itself can crash or hang on a damaged file, mostly in text of variable length, so what is
written here has fixed lengths only, and what is read is checked before it is fetched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textgenrnn.errors import ModelFileError
from textgenrnn.network.parameters import FloatArray
from textgenrnn.storage.keras_layout import NamedWeights
from textgenrnn.storage.kinds import REMEDY
from textgenrnn.text.files import StrPath, explain_read_error

__all__ = ["read_hdf5", "to_hdf5"]

_KERAS_ATTRIBUTES = {"backend": "tensorflow", "keras_version": "2.10.0"}
"""Whose layout ours is: Keras 2 converts the weights of files that name another."""
_TEXT_BYTES = 60_000
"""Most bytes of one attribute: HDF5 has room for 64 KB."""
_MOST_NAMES = 100_000
_LARGEST_RATIO = 1100
"""How many times larger than the file its content may be: the deflate filter's limit is 1032."""


def to_hdf5(layers: Mapping[str, NamedWeights], texts: Mapping[str, str]) -> bytes:
    """Return a file of weights as Keras 2 writes it; equal contents give equal bytes.

    Args:
        layers: Layer names, in order, and their named weights.
        texts: Further attributes, in ASCII. Long ones are cut into several, as Keras does, whose
            names end in 0, 1, ….
    """
    import h5py

    # Only in memory: the name is not used, nor written anywhere.
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        # Strings of fixed length are bytes to every h5py, as every Keras 2 expects.
        file.attrs["layer_names"] = np.array([name.encode() for name in layers])
        for name, text in _KERAS_ATTRIBUTES.items():
            file.attrs[name] = np.bytes_(text)
        for name, text in texts.items():
            data = text.encode("ascii")
            pieces = [data[i : i + _TEXT_BYTES] for i in range(0, len(data), _TEXT_BYTES)]
            for number, piece in enumerate(pieces):
                file.attrs[name if len(pieces) == 1 else f"{name}{number}"] = np.bytes_(piece)
        for layer, weights in sorted(layers.items()):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name, _ in weights])
            for name, values in weights:
                group.create_dataset(name, data=np.ascontiguousarray(values, np.float32))
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def read_hdf5(
    path: StrPath, *, attributes: Sequence[str]
) -> tuple[dict[str, list[FloatArray]], dict[str, str]]:
    """Read a file of weights, or of a whole model, that Keras 2 or :func:`to_hdf5` wrote.

    Args:
        path: The file.
        attributes: Further attributes to read, if they are there.

    Returns:
        Layer names, in order, with the weights of each; and the attributes.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is damaged or laid out otherwise.
    """
    import h5py

    try:
        # Opened here, so that no lock is taken: the file may lie on a read-only or shared disk.
        with Path(path).open("rb") as raw, h5py.File(raw, "r") as file:
            is_whole_model = "model_weights" in file and not _has_names(file, "layer_names")
            root = _child(file, "model_weights") if is_whole_model else file
            layers = {name: _read_layer(root, name) for name in _names(root, "layer_names")}
            texts = {
                name: "".join(_names(file, name)) for name in attributes if _has_names(file, name)
            }
    except ModelFileError as error:
        raise ModelFileError(f"`{path}` {error}") from error
    except OSError as error:
        if error.errno is not None:  # of the file system, not of the format
            raise explain_read_error(path, error) from error
        raise _damaged(path, error) from error
    except Exception as error:  # HDF5 reports damage in many ways
        raise _damaged(path, error) from error
    return layers, texts


def _damaged(path: StrPath, error: Exception) -> ModelFileError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ModelFileError(f"`{path}` is truncated or damaged ({reason}); {REMEDY}.")


def _read_layer(root: Any, name: str) -> list[FloatArray]:
    group = _child(root, name)
    return [_read_weights(group, weight) for weight in _names(group, "weight_names")]


def _has_names(group: Any, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _names(group: Any, attribute: str) -> list[str]:
    """Return a list of names, which Keras cuts into several attributes when it is long."""
    if not _has_names(group, attribute):
        raise ModelFileError(
            f"is an HDF5 file, but {group.name!r} in it has no `{attribute}` as Keras 2 writes it; "
            "give a file that textgenrnn saved."
        )
    names = _strings(group, attribute) if attribute in group.attrs else []
    number = 0
    while (piece := f"{attribute}{number}") in group.attrs:
        names += _strings(group, piece)
        number += 1
    return names


def _strings(group: Any, attribute: str) -> list[str]:
    """Return the string or strings of an attribute; Keras writes no strings as an empty array."""
    import h5py

    stored = group.attrs.get_id(attribute)
    if 0 in stored.shape:
        return []
    is_text = h5py.check_string_dtype(stored.dtype) is not None
    if not is_text or math.prod(stored.shape) > _MOST_NAMES:
        raise ModelFileError(f"is damaged: `{attribute}` in it is no text; {REMEDY}.")
    strings = np.atleast_1d(group.attrs[attribute]).ravel().tolist()
    return [string.decode() if isinstance(string, bytes) else string for string in strings]


def _child(group: Any, path: str) -> Any:
    """Return what a path leads to, if no link on it leads out of the file."""
    import h5py

    found = group
    for part in path.split("/"):
        if not isinstance(found, h5py.Group) or part not in found:
            raise ModelFileError(f"is damaged: it lacks {path!r} in {group.name!r}; {REMEDY}.")
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise ModelFileError(
                f"has a link to another place at {path!r}, which is not followed; copy the weights "
                "themselves into the file."
            )
        found = found[part]
    return found


def _read_weights(group: Any, name: str) -> FloatArray:
    import h5py

    dataset = _child(group, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise ModelFileError(f"is damaged: {name!r} in it holds no numbers; {REMEDY}.")
    if dataset.external or dataset.is_virtual:
        raise ModelFileError(
            f"keeps {name!r} in another file, which is not followed; copy the weights themselves "
            "into the file."
        )
    stored, size = dataset.id.get_storage_size(), dataset.size * dataset.dtype.itemsize
    if size > stored * (_LARGEST_RATIO if dataset.compression else 1):
        raise ModelFileError(f"is damaged: {name!r} in it is not stored in full; {REMEDY}.")
    with np.errstate(over="ignore"):  # values that are not finite are found later, by name
        values: FloatArray = np.asarray(dataset[()], np.float32)
    return values
