"""What a training run tells those who watch it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from textgenrnn.network.model import LanguageModel
from textgenrnn.training.plan import Plan

__all__ = ["Observer", "Observers", "Snapshot", "Status"]

Snapshot = Callable[[], LanguageModel]
"""Returns the model as it is now; copying the parameters costs a few milliseconds."""


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        progress: Share that is over, in [0, 1].
        epoch: Passes begun, from 1.
        epoch_progress: Share of this pass that is over, in [0, 1].
        updates: Steps of the optimiser so far.
        tokens: Targets seen so far.
        loss: Mean training loss of the last updates, nats per token.
        epoch_loss: Mean training loss of this pass so far, nats per token.
        held_out_bits: Bits per character on the held-out text, newest value; ``None`` before the
            first, or if nothing is held out.
        best_bits: The smallest of these values.
        characters_per_s: Rate of training.
        elapsed_s: Seconds since the call.
        remaining_s: Seconds expected until the end.
    """

    progress: float
    epoch: int
    epoch_progress: float
    updates: int
    tokens: int
    loss: float
    epoch_loss: float
    held_out_bits: float | None
    best_bits: float | None
    characters_per_s: float
    elapsed_s: float
    remaining_s: float


class Observer:
    """Receives the events of a run; every method may be left as it is."""

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        """Training is about to begin."""

    def progressed(self, status: Status, snapshot: Snapshot) -> None:
        """Some updates were made; called a few times a second."""

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        """The held-out text was scored."""

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        """A pass over the text is over."""

    def finished(self, status: Status, reason: str) -> None:
        """The run is over, for whatever reason; displays are put away here."""


class Observers(Observer):
    """Passes every event on to several observers, in order.

    One that cannot write, to a closed pipe or a full disk, stops neither the training nor the
    others: it misses the event and is told of the next one.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def started(self, plan: Plan, held_out_tokens: int) -> None:
        """See :class:`Observer`."""
        self._tell(lambda observer: observer.started(plan, held_out_tokens))

    def progressed(self, status: Status, snapshot: Snapshot) -> None:
        """See :class:`Observer`."""
        self._tell(lambda observer: observer.progressed(status, snapshot))

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        """See :class:`Observer`."""
        self._tell(lambda observer: observer.validated(status, snapshot, improved=improved))

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        """See :class:`Observer`."""
        self._tell(lambda observer: observer.epoch_ended(status, snapshot))

    def finished(self, status: Status, reason: str) -> None:
        """See :class:`Observer`."""
        self._tell(lambda observer: observer.finished(status, reason))

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            # UnicodeError: the output's encoding lacks a character of a sample.
            with suppress(OSError, UnicodeError):
                event(observer)
