"""What the tests of the training share: moments of a run, and texts that are learned at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from textgenrnn.training.observer import Status

DEFAULTS: dict[str, Any] = {
    "progress": 0.25,
    "epoch": 2,
    "epoch_progress": 0.5,
    "updates": 40,
    "tokens": 5000,
    "loss": 1.4321,
    "epoch_loss": 1.5,
    "held_out_bits": None,
    "best_bits": None,
    "characters_per_s": 36_055.4,
    "elapsed_s": 75.0,
    "remaining_s": 225.0,
}


@pytest.fixture(scope="session")
def make_status() -> Callable[..., Status]:
    """Return a function that makes a moment of a run, some of its figures given."""

    def make(**figures: Any) -> Status:
        return Status(**{**DEFAULTS, **figures})

    return make
