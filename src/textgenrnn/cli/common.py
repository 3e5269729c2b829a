"""What several sub-commands share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from textgenrnn.errors import FileAccessError

__all__ = ["DEFAULT_MODEL", "interrupt_on_termination", "model_path", "refuse_existing"]

DEFAULT_MODEL = "en"
"""The bundled model that is meant where none is named."""


def interrupt_on_termination() -> None:
    """Let ``kill``, and the end of the terminal, end the program as Ctrl-C does.

    So what was learned is kept. What is ignored stays so, as ``nohup`` wants it.
    """

    def interrupt(_: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        # In the background of a script Ctrl-C is ignored, but not this.
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


def model_path(name: str) -> Path:
    """Return the path of a model file: the bundled one of that name, unless a file has it."""
    from textgenrnn.pretrained import BASES, base_path

    if name in BASES and not os.path.exists(name):  # noqa: PTH110 (never raises)
        return base_path(name)
    return Path(name)


def refuse_existing(output: Path, *, force: bool) -> None:
    """Raise a FileAccessError if a file exists that nobody allowed to be replaced."""
    # Unlike Path.exists, this never raises; what is wrong with the name is found out in writing.
    if not force and os.path.exists(output):  # noqa: PTH110
        raise FileAccessError(
            f"`{output}` exists; give --force to replace it, or another --output."
        )
