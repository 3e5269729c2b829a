"""What several sub-commands share."""

from __future__ import annotations

import signal
from types import FrameType

__all__ = ["interrupt_on_sigterm"]


def interrupt_on_sigterm() -> None:
    """Let ``kill`` end the program as Ctrl-C does, so that what was learned is kept."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
