"""Observers that act: they save the model and call functions as a run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import save_model
from textgenrnn.text.files import StrPath
from textgenrnn.training.observer import Observer, Snapshot, Status

__all__ = ["EveryEpochs", "SaveBest"]

_SAVE_INTERVAL_S = 15.0


class SaveBest(Observer):
    """Writes the best model so far to a file, so that even a power cut loses little.

    Args:
        path: The file, replaced in one step each time.
    """

    def __init__(self, path: StrPath) -> None:
        self._path = path
        self._last = time.perf_counter()
        self._validates = False

    def validated(self, status: Status, snapshot: Snapshot, *, improved: bool) -> None:
        """Save an improved model, not too often."""
        self._validates = True
        if improved:
            self._save_now_and_then(snapshot)

    def progressed(self, status: Status, snapshot: Snapshot) -> None:
        """Save from time to time where nothing is held out to tell which model is best."""
        if not self._validates and status.held_out_bits is None:
            self._save_now_and_then(snapshot)

    def _save_now_and_then(self, snapshot: Snapshot) -> None:
        now = time.perf_counter()
        if now - self._last >= _SAVE_INTERVAL_S:
            self._last = now
            save_model(snapshot(), self._path)


class EveryEpochs(Observer):
    """Calls a function with the model after every so many passes.

    Args:
        epochs: How many.
        function: What to call.
    """

    def __init__(self, epochs: int, function: Callable[[LanguageModel], None]) -> None:
        self._epochs, self._function = epochs, function

    def epoch_ended(self, status: Status, snapshot: Snapshot) -> None:
        """Call the function when it is due."""
        if status.epoch % self._epochs == 0:
            self._function(snapshot())
