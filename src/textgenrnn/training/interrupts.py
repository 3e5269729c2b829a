"""Ctrl-C while a model is trained: once to end the training, never to lose what it learned."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self

__all__ = ["Interrupts"]


class Interrupts:
    """A context in which Ctrl-C raises ``KeyboardInterrupt`` at most once.

    People press it twice. The first one ends the training; while the model is put away after that,
    further ones are ignored. A handler of the caller's own is left alone, and so are threads other
    than the main one, which signals never reach.

    Example:
        >>> with Interrupts() as interrupts:                            # doctest: +SKIP
        ...     try:
        ...         learn()
        ...         interrupts.hold_back()
        ...     except KeyboardInterrupt:
        ...         pass
        ...     save()   # nothing interrupts this
    """

    def __init__(self) -> None:
        self._held_back = False
        self._in_charge = False

    def hold_back(self) -> None:
        """Ignore Ctrl-C from now on until the context ends."""
        self._held_back = True

    def __enter__(self) -> Self:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._handle)
            self._in_charge = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._in_charge:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._in_charge = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._held_back:
            self._held_back = True
            signal.default_int_handler(number, frame)
