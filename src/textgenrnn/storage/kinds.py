"""What kind of file is this? Told by its first bytes, whatever its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from textgenrnn.errors import ModelFileError
from textgenrnn.text.files import StrPath, explain_read_error

__all__ = ["REMEDY", "FileKind", "identify_model_file"]

FileKind = Literal["safetensors", "hdf5"]

REMEDY = "use a copy that is whole, or save the model again"
"""What to do about a damaged file."""

_MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_FOREIGN_KINDS: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"PK\x03\x04", "is a zip archive, such as PyTorch and Keras 3 write, not a textgenrnn model"),
    (_PICKLES, "is a Python pickle, which is never loaded since it can run any code"),
    (b"\x1f\x8b", "is a gzip archive; decompress it first"),
    (b"\xfd7zXZ\x00", "is an xz archive; decompress it first"),
)


def identify_model_file(path: StrPath) -> FileKind:
    """Return the format of a model file.

    Raises:
        FileAccessError: If the file cannot be read.
        ModelFileError: If it is empty or of another kind, which the message names.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        raise explain_read_error(path, error) from error
    if not head:
        raise ModelFileError(f"`{path}` is empty, expected a model; {REMEDY}.")
    if head.startswith(_HDF5):
        return "hdf5"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _MAX_HEADER_BYTES:
        return "safetensors"
    for magic, what in _FOREIGN_KINDS:
        if head.startswith(magic):
            raise ModelFileError(f"`{path}` {what}.")
    if min(head) >= ord("\t"):
        raise ModelFileError(
            f"`{path}` is a text file, expected a model; train one on it, or give the file that "
            "training wrote."
        )
    raise ModelFileError(
        f"`{path}` is of no known kind, or damaged at its start; expected a .safetensors or .hdf5 "
        "file that textgenrnn saved."
    )
