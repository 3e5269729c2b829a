"""Strings that end a text, and strings that must not appear: pure functions over text.

A string may begin in the prefix, but counts only where it ends after it, so each is met exactly
once: when a token completes it. Tokens may hold several characters. ``tail`` is the end of the
text so far, at least as long as the longest string less one character.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Bans", "completes_any", "cut_at_first", "settled_length"]


class Bans:
    """Which tokens would complete a banned string, looked up by how the text ends so far.

    Args:
        banned: Strings of at least one character.
        pieces: Text of each token id; one without text is never banned.

    Example:
        >>> bans = Bans(["ab"], ["", "a", "b", "abc"])
        >>> [ids.tolist() for ids in bans.after("cba")]
        [[3], [2]]
    """

    def __init__(self, banned: Sequence[str], pieces: Sequence[str]) -> None:
        longest = max(map(len, pieces))
        beginning_with: dict[str, list[int]] = {}
        for token, piece in enumerate(pieces):
            for end in range(1, len(piece) + 1):
                beginning_with.setdefault(piece[:end], []).append(token)
        after: dict[str, set[int]] = {}
        for string in banned:
            if len(string) <= longest:
                holding = (token for token, piece in enumerate(pieces) if string in piece)
                after.setdefault("", set()).update(holding)
            for length in range(max(1, len(string) - longest), len(string)):
                completing = beginning_with.get(string[length:], ())
                after.setdefault(string[:length], set()).update(completing)
        self._after = {head: np.array(sorted(ids)) for head, ids in after.items() if ids}
        self._head_lengths = sorted({len(head) for head in self._after})

    def after(self, tail: str) -> list[npt.NDArray[np.int64]]:
        """Return the ids of all tokens that complete a banned string after a text, in groups."""
        heads = (tail[max(0, len(tail) - length) :] for length in self._head_lengths)
        return [self._after[head] for head in heads if head in self._after]


def completes_any(strings: Sequence[str], tail: str, piece: str) -> bool:
    """Whether one of the strings stands in ``tail + piece`` and ends within the piece."""
    text = tail + piece
    return any(text.find(s, max(0, len(tail) - len(s) + 1)) >= 0 for s in strings)


def cut_at_first(strings: Sequence[str], text: str, prefix_length: int, *, keep: bool) -> str:
    """Cut a text at the first of the strings that ends after the prefix; one must be there.

    Args:
        strings: What ends a text.
        text: Prefix included.
        prefix_length: Characters that stay whatever happens.
        keep: Whether the string stays as well.
    """
    start, length = min(
        (start, len(s))
        for s in strings
        if (start := text.find(s, max(0, prefix_length - len(s) + 1))) >= 0
    )
    return text[: start + length] if keep else text[: max(start, prefix_length)]


def settled_length(strings: Sequence[str], text: str) -> int:
    """Return how many characters no string can reach back into, however the text goes on.

    The rest, at the text's end, is a beginning of one of the strings; those that are there already
    do not count.

    Example:
        >>> settled_length(["End", "***"], "The E")
        4
    """
    longest = max(map(len, strings), default=0)
    for start in range(max(0, len(text) - longest + 1), len(text)):
        beginning = text[start:]
        if any(s.startswith(beginning) and s != beginning for s in strings):
            return start
    return len(text)
