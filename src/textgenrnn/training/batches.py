"""From encoded text to chunks of constant cost for truncated back-propagation through time.

Two layouts with one interface:

- :class:`DocumentLayout`: each row is a document from its opening to its closing ``<s>``, starting
  from zero state, exactly as it will be generated. Documents of similar length share a group, so
  that little is padding; a group longer than ``seq_len`` is cut in time and its state carried on.
- :class:`StreamLayout`: the rows read one long text at evenly spaced places, side by side, and
  carry their state through the whole pass. The places move from pass to pass.

Letters: B rows, T steps. Targets of 0 (padding, unknown characters) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from textgenrnn.tokenizers import PADDING_ID
from textgenrnn.training.data import EncodedText

__all__ = ["Chunk", "DocumentLayout", "Layout", "StreamLayout", "cut_in_time", "make_layout"]

_POOL_TOKENS = 2**19
"""Documents are sorted by length among about this many tokens, so that groups stay random."""

_LENGTH_MULTIPLE = 4
"""Lengths are rounded up to a multiple, so that kernels meet few different shapes."""


@dataclass(frozen=True)
class Chunk:
    """What one update sees.

    Attributes:
        inputs: (T, B) int64 token ids.
        targets: (T, B) int64 ids of the tokens after them.
        fresh: Whether the rows start from zero state; else they go on from the previous chunk.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    fresh: bool

    @property
    def num_targets(self) -> int:
        """Targets that count."""
        return int(np.count_nonzero(self.targets))


class Layout(Protocol):
    """How text is laid out in rows and steps."""

    def chunks(self, rng: np.random.Generator | None) -> Iterator[Chunk]:
        """Yield one pass over the text; ``None``: in a fixed order."""
        ...


class DocumentLayout:
    """Documents of similar length side by side, each from zero state.

    Args:
        text: The documents.
        tokens_per_chunk: B × T aimed at.
        seq_len: Most steps T of a chunk.
        rows: B, if it is fixed.
    """

    def __init__(
        self, text: EncodedText, *, tokens_per_chunk: int, seq_len: int, rows: int | None = None
    ) -> None:
        self._text = text
        self._rows = rows
        self._tokens_per_chunk = tokens_per_chunk
        self._seq_len = seq_len

    def chunks(self, rng: np.random.Generator | None) -> Iterator[Chunk]:
        """Yield every document once, groups in random order."""
        lengths = self._text.lengths
        order = np.arange(len(lengths)) if rng is None else rng.permutation(len(lengths))
        pools = np.cumsum(lengths[order]) // _POOL_TOKENS
        for pool in np.split(order, np.flatnonzero(np.diff(pools)) + 1):
            # A stable sort keeps the random order among documents of equal length.
            by_length = pool[np.argsort(lengths[pool], kind="stable")[::-1]]
            groups = list(self._groups(by_length))
            for i in range(len(groups)) if rng is None else rng.permutation(len(groups)):
                yield from self._group_chunks(groups[i])

    def _groups(
        self, by_length: npt.NDArray[np.int64]
    ) -> Iterator[npt.NDArray[np.int64]]:
        start = 0
        while start < len(by_length):
            steps = min(self._seq_len, int(self._text.lengths[by_length[start]]))
            end = start + (self._rows or max(1, self._tokens_per_chunk // steps))
            yield by_length[start:end]
            start = end

    def _group_chunks(self, group: npt.NDArray[np.int64]) -> Iterator[Chunk]:
        lengths = self._text.lengths[group]  # (B,)
        longest = int(lengths.max())
        positions = np.arange(longest)[:, None]  # (T, 1)
        inside = positions < lengths  # (T, B)
        index = np.where(inside, self._text.starts[group] + positions, 0)
        inputs = np.where(inside, self._text.token_ids[index], PADDING_ID)
        targets = np.where(inside, self._text.token_ids[index + 1], PADDING_ID)
        yield from cut_in_time(inputs, targets, self._seq_len)


class StreamLayout:
    """One long text, read at ``rows`` places at once.

    Every row begins with ``<s>``, so that the model learns to start anywhere, and where lines are
    short enough at the beginning of a line, so that it learns to start like one.

    Args:
        text: A single text.
        rows: B; fewer if the text is short.
        seq_len: T.
    """

    def __init__(self, text: EncodedText, *, rows: int, seq_len: int) -> None:
        self._rows = max(1, min(rows, text.num_targets // 2))
        self._seq_len = seq_len
        self._meta_id = int(text.token_ids[0])
        # `<s>` text, read in a circle: where the text begins again, `<s>` is read but never a
        # target, since it says nothing about the text.
        self._circle = text.token_ids[:-1]
        self._line_starts = (
            np.flatnonzero(self._circle == text.newline_id) + 1
            if text.newline_id != PADDING_ID
            else np.zeros(0, np.int64)
        )

    def chunks(self, rng: np.random.Generator | None) -> Iterator[Chunk]:
        """Yield every token once, the rows from places that move with ``rng``."""
        starts = self._starts(rng)
        lengths = np.diff(np.append(starts, starts[0] + len(self._circle)))
        positions = np.arange(int(lengths.max()))[:, None]  # (T, 1)
        inside = positions < lengths  # (T, B)
        targets = self._circle[(starts + positions) % len(self._circle)]
        inputs = np.concatenate([np.full((1, len(starts)), self._meta_id), targets[:-1]])
        targets = np.where(inside & (targets != self._meta_id), targets, PADDING_ID)
        yield from cut_in_time(inputs, targets, self._seq_len)

    def _starts(self, rng: np.random.Generator | None) -> npt.NDArray[np.int64]:
        """Return where the rows begin, rising."""
        spacing = len(self._circle) / self._rows
        offset = 0.0 if rng is None else rng.uniform(0, spacing)
        starts = (offset + spacing * np.arange(self._rows)).astype(np.int64)
        if len(self._line_starts):
            before = np.searchsorted(self._line_starts, starts, side="right") - 1
            snapped = self._line_starts[np.maximum(before, 0)]
            near = (before >= 0) & (starts - snapped < spacing / 4)
            starts = np.where(near, snapped, starts)
        return starts


def make_layout(
    text: EncodedText, *, tokens_per_chunk: int, seq_len: int, rows: int | None = None
) -> Layout:
    """Choose the layout for a text; the arguments are those of the layouts."""
    if text.single_text:
        rows = rows or max(1, tokens_per_chunk // seq_len)
        return StreamLayout(text, rows=rows, seq_len=seq_len)
    return DocumentLayout(text, tokens_per_chunk=tokens_per_chunk, seq_len=seq_len, rows=rows)


def cut_in_time(
    inputs: npt.NDArray[np.integer], targets: npt.NDArray[np.integer], seq_len: int
) -> Iterator[Chunk]:
    """Cut (length, B) arrays in time into chunks of equal length T <= seq_len, padding the last."""
    length = len(inputs)
    count = -(-length // seq_len)
    steps = -(-length // count)
    if count > 1 or steps > _LENGTH_MULTIPLE:
        steps = -(-steps // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE
    for start in range(0, length, steps):
        shape = (steps, inputs.shape[1])
        chunk_inputs = np.full(shape, PADDING_ID, np.int64)
        chunk_targets = np.full(shape, PADDING_ID, np.int64)
        part = slice(start, min(start + steps, length))
        chunk_inputs[: part.stop - start] = inputs[part]
        chunk_targets[: part.stop - start] = targets[part]
        yield Chunk(chunk_inputs, chunk_targets, fresh=start == 0)
