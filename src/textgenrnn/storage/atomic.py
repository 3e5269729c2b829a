"""Files that are written whole or not at all.

The content goes into a temporary file in the same folder, is forced to the disk, and takes the
target's place in one step (POSIX ``rename``). Whatever happens on the way, the old file stays as
it was, and nothing else is left behind; only a killed process can leave ``.NAME.*.tmp``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from textgenrnn.errors import FileAccessError
from textgenrnn.text.files import StrPath

__all__ = ["atomic_write", "check_writable"]


@contextlib.contextmanager
def atomic_write(path: StrPath) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` when the block ends without an error.

    An existing file keeps its permissions; where ``path`` is a symbolic link, the link stays and
    what it points to is replaced.

    Args:
        path: The file to write, in a folder that exists.

    Yields:
        The temporary file, open for reading and writing bytes.

    Raises:
        FileAccessError: If it cannot be written; ``path`` is unchanged then.

    Example:
        >>> with atomic_write("cities.txt") as file:  # doctest: +SKIP
        ...     file.write(b"Weinmar")
    """
    target = _writable_target(path)
    temporary = _temporary_name(target)
    try:
        with temporary.open("x+b") as file:
            if target.exists():
                # Before the content comes in: it may be private.
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and _comes_from_writing(error, temporary):
            raise _explain_write_error(path, target, error) from error
        raise
    _sync_folder(target.parent)


def check_writable(path: StrPath) -> None:
    """Check that :func:`atomic_write` can write a file, and leave nothing behind.

    Meant for the start of a long job, so that hours of work do not end in an error.

    Raises:
        FileAccessError: If the file cannot be written.
    """
    target = _writable_target(path)
    temporary = _temporary_name(target)
    try:
        temporary.open("xb").close()
        temporary.unlink()
    except OSError as error:
        raise _explain_write_error(path, target, error) from error


def _writable_target(path: StrPath) -> Path:
    """Return the file that a path leads to, links followed, if one can be written there."""
    try:
        target = Path(os.path.realpath(path))
        mode = target.stat().st_mode if target.exists() else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FileAccessError(f"cannot write `{path}`: {reason}.") from error
    if mode is None:
        if not target.parent.exists():
            raise FileAccessError(
                f"cannot write `{path}`: the folder `{target.parent}` does not exist; create it "
                "first, or give another path."
            )
        if not target.parent.is_dir():
            raise FileAccessError(
                f"cannot write `{path}`: `{target.parent}` is a file, expected a folder."
            )
    elif stat.S_ISDIR(mode):
        raise FileAccessError(
            f"cannot write `{path}`: it is a folder, expected a file; give a file name in it."
        )
    elif not stat.S_ISREG(mode):
        # Renaming onto a device such as /dev/null would replace the device itself.
        raise FileAccessError(f"cannot write `{path}`: it is a device or pipe, expected a file.")
    elif not os.access(target, os.W_OK):
        # Renaming would succeed, against the owner's declared will.
        raise FileAccessError(
            f"cannot write `{path}`: the file is write-protected; change its permissions or give "
            "another path."
        )
    return target


def _temporary_name(target: Path) -> Path:
    # Shortened, since a name that just fits the file system would not fit any more.
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp")


def _comes_from_writing(error: OSError, temporary: Path) -> bool:
    """Return whether it was not the caller's block that had trouble, with some other file."""
    return not isinstance(error, FileAccessError) and error.filename in {None, str(temporary)}


def _explain_write_error(path: StrPath, target: Path, error: OSError) -> FileAccessError:
    unchanged = f"`{path}` is unchanged" if target.exists() else "nothing was written"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FileAccessError(
            f"no space left to write `{path}`; {unchanged}; free some space on its disk, or give "
            "another path."
        )
    if isinstance(error, PermissionError):
        return FileAccessError(
            f"cannot write `{path}`: no permission to write in the folder `{target.parent}`; "
            f"{unchanged}; change its permissions, or give another path."
        )
    return FileAccessError(f"cannot write `{path}`: {error.strerror or error}; {unchanged}.")


def _sync_folder(folder: Path) -> None:
    """Force a rename to the disk, where the system can open folders (Windows cannot)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
