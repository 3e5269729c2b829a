"""What several sub-commands share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from textgenrnn.errors import FileAccessError

__all__ = ["interrupt_on_sigterm", "refuse_existing"]


def interrupt_on_sigterm() -> None:
    """Let ``kill`` end the program as Ctrl-C does, so that what was learned is kept."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def refuse_existing(output: Path, *, force: bool) -> None:
    """Raise a FileAccessError if a file exists that nobody allowed to be replaced."""
    # Unlike Path.exists, this never raises; what is wrong with the name is found out in writing.
    if not force and os.path.exists(output):  # noqa: PTH110
        raise FileAccessError(
            f"`{output}` exists; give --force to replace it, or another --output."
        )
