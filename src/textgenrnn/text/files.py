"""Reading files, with errors that say how to go on."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from textgenrnn.errors import FileAccessError

__all__ = ["StrPath", "explain_read_error", "read_bytes"]

StrPath = str | os.PathLike[str]


def read_bytes(path: StrPath) -> bytes:
    """Return the content of a file.

    Raises:
        FileAccessError: If it is missing, a folder, or may not be read.
    """
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise explain_read_error(path, error) from error


def explain_read_error(path: StrPath, error: Exception) -> FileAccessError:
    """Return the error to raise instead of one that came up while reading a file.

    Args:
        path: What was to be read.
        error: An ``OSError``, or the ``ValueError`` of a path that no file can have.
    """
    # Asked first, since Windows reports 'no permission' for a folder; unlike Path.is_dir, this
    # never raises.
    if os.path.isdir(path):  # noqa: PTH112
        return FileAccessError(f"`{path}` is a folder, expected a file; give a file in it.")
    if isinstance(error, FileNotFoundError):
        return FileAccessError(f"`{path}` does not exist; {_where_to_look(Path(path))}.")
    if isinstance(error, PermissionError):
        return FileAccessError(
            f"no permission to read `{path}`; change its permissions or read a copy of it."
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileAccessError(f"cannot read `{path}`: {reason}.")


def _where_to_look(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except FileNotFoundError:
        return f"neither does its folder (relative paths start at `{Path.cwd()}`)"
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=3)
    if near:
        return f"the folder `{path.parent}` has " + ", ".join(f"`{name}`" for name in near)
    return f"check the path (relative ones start at `{Path.cwd()}`)"
