"""What generation returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FinishReason", "GenerationResult", "GenerationWarning"]

FinishReason = Literal["end", "length", "stop", "banned"]
"""Why a text ended: the model ended it; it reached ``max_tokens``; a stop string appeared; every
token that could follow would have completed a banned string."""


@dataclass(frozen=True)
class GenerationResult:
    """One generated text.

    Attributes:
        text: The whole text, prefix included, without start and end tokens.
        prefix: What it began with.
        token_ids: Ids of the whole text, prefix included (unknown prefix characters are 0). A
            stop string that was trimmed from the text is still among them.
        finish_reason: Why it ended.
    """

    text: str
    prefix: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason

    def __str__(self) -> str:
        return self.text


class GenerationWarning(UserWarning):
    """Generation did what it could, but not all that was asked."""
