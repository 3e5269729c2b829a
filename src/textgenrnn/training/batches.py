"""From encoded text to chunks of constant cost for truncated back-propagation through time.

The first two layouts read the text in pieces that start from zero state with ``<s>``, as generation
does. Pieces of similar length stand side by side in a group, so that little is padding; a group
longer than ``seq_len`` is cut in time, its state carried from chunk to chunk.

- :class:`DocumentLayout`: a piece is a document, from its opening to its closing ``<s>``.
- :class:`StreamLayout`: one long text is cut anew for each pass, into pieces of several lengths.

The windowed form has a layout of its own, :class:`WindowLayout`: a row is a window with one target.

Letters: B rows, T steps. Targets of 0 (padding, unknown characters) do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from textgenrnn.tokenizers import PADDING_ID, TokenArray
from textgenrnn.training.data import EncodedText

__all__ = [
    "Chunk",
    "DocumentLayout",
    "Layout",
    "StreamLayout",
    "WindowLayout",
    "cut_in_time",
    "make_layout",
]

_POOL_TOKENS = 2**19
"""Documents are sorted by length among about this many tokens, so that groups stay random."""

_LENGTH_MULTIPLE = 4
"""Lengths are rounded up to a multiple, so that kernels meet few different shapes."""

_PIECE_CHUNKS = (64, 16, 4)
"""Lengths of a long text's pieces, in chunks, longest first; each gets as much of the text. Short
ones teach to start from nothing, long ones to keep a state for long: without fresh starts a model
scored 2.2 instead of 1.5 nats when it was read from zero state (docs/experiments.md)."""


@dataclass(frozen=True)
class Chunk:
    """What one update sees.

    Attributes:
        inputs: (T, B) int64 token ids.
        targets: (T, B) int64 ids of the tokens after them; of windows (1, B), after the last one.
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

    @property
    def num_targets(self) -> int:
        """Targets of a pass, those that do not count included."""
        ...

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

    @property
    def num_targets(self) -> int:
        """Targets of a pass."""
        return self._text.num_targets

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
                starts, group_lengths = self._text.starts[groups[i]], lengths[groups[i]]
                yield from _read_pieces(self._text.token_ids, starts, group_lengths, self._seq_len)

    def _groups(self, by_length: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
        start = 0
        while start < len(by_length):
            steps = min(self._seq_len, int(self._text.lengths[by_length[start]]))
            end = start + (self._rows or max(1, self._tokens_per_chunk // steps))
            yield by_length[start:end]
            start = end


class StreamLayout:
    """Pieces of one long text side by side, cut at other places in each pass.

    Pieces begin at the beginning of a line where one is near, so that the model learns to start
    like that.

    Args:
        text: A single text.
        rows: B; fewer if the text is short.
        seq_len: T.
    """

    def __init__(self, text: EncodedText, *, rows: int, seq_len: int) -> None:
        self._token_ids = text.token_ids[:-1]  # `<s>` text; its end is no target
        self._rows = max(1, min(rows, text.num_targets // (_PIECE_CHUNKS[-1] * seq_len)))
        self._seq_len = seq_len
        self._line_starts = np.zeros(1, np.int64)
        if text.newline_id != PADDING_ID:
            newlines = np.flatnonzero(self._token_ids == text.newline_id)
            self._line_starts = np.append(self._line_starts, newlines)

    @property
    def num_targets(self) -> int:
        """Targets of a pass."""
        return len(self._token_ids) - 1

    def chunks(self, rng: np.random.Generator | None) -> Iterator[Chunk]:
        """Yield every token once, groups in random order."""
        planned = self._piece_lengths()
        order = np.arange(len(planned)) if rng is None else rng.permutation(len(planned))
        ends = np.cumsum(planned[order])
        starts = self._snapped(np.append(0, ends[:-1]))
        lengths = np.diff(np.append(starts, ends[-1]))
        groups: list[npt.NDArray[np.int64]] = []
        for length in np.unique(planned):
            pieces = np.flatnonzero(planned[order] == length)
            pieces = pieces[np.argsort(lengths[pieces], kind="stable")]  # snapping moved them
            groups += np.split(pieces, range(self._rows, len(pieces), self._rows))
        for i in range(len(groups)) if rng is None else rng.permutation(len(groups)):
            group = groups[i][lengths[groups[i]] > 0]
            if len(group):
                yield from _read_pieces(
                    self._token_ids, starts[group], lengths[group], self._seq_len
                )

    def _piece_lengths(self) -> npt.NDArray[np.int64]:
        """Return lengths that sum to the number of targets, nearly all in full groups of B."""
        rest = total = len(self._token_ids) - 1
        lengths: list[int] = []
        for chunks in _PIECE_CHUNKS:
            length = chunks * self._seq_len
            count = total // len(_PIECE_CHUNKS) // (length * self._rows) * self._rows
            lengths += [length] * count
            rest -= length * count
        # What is left is spread evenly over the rows, in pieces of the shortest kind at most.
        shortest = _PIECE_CHUNKS[-1] * self._seq_len
        groups = max(1, round(rest / (shortest * self._rows)))
        even = np.diff(np.linspace(0, rest, groups * self._rows + 1).astype(np.int64))
        return np.concatenate([np.array(lengths, np.int64), even])

    def _snapped(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Move starts back to the beginning of their line if it is less than T tokens away."""
        before = np.searchsorted(self._line_starts, starts, side="right") - 1
        line_starts = self._line_starts[before]
        return np.where(starts - line_starts < self._seq_len, line_starts, starts)


class WindowLayout:
    """Windows of the last tokens before each target, as the original trains.

    A document's windows see nothing before its ``<s>``; a single text has no ``<s>`` and begins
    with its first whole window, unless it is shorter than one.

    Args:
        text: The documents, or a single text.
        window: Tokens of a window.
        rows: Windows per chunk.
    """

    def __init__(self, text: EncodedText, *, window: int, rows: int) -> None:
        self._text = text
        self._window = window
        self._rows = rows
        first = int(text.single_text)  # of the tokens that a window may see
        targets = np.arange(first + 1, len(text.token_ids) - first)
        if text.single_text and len(targets) > window:
            targets = targets[window - 1 :]
        self._targets = targets[text.token_ids[targets] != PADDING_ID]
        documents = np.searchsorted(text.starts, self._targets, side="left") - 1
        self._begins = text.starts[documents] + first

    @property
    def num_targets(self) -> int:
        """Windows of a pass."""
        return len(self._targets)

    def chunks(self, rng: np.random.Generator | None) -> Iterator[Chunk]:
        """Yield every window once, in random order."""
        count = len(self._targets)
        order = np.arange(count) if rng is None else rng.permutation(count)
        back = np.arange(-self._window, 0)[:, None]  # (T, 1)
        for start in range(0, count, self._rows):
            chosen = order[start : start + self._rows]
            index = self._targets[chosen] + back  # (T, B)
            inside = index >= self._begins[chosen]
            windows = self._text.token_ids[np.where(inside, index, 0)]
            yield Chunk(
                np.where(inside, windows, PADDING_ID).astype(np.int64),
                self._text.token_ids[self._targets[chosen]][None].astype(np.int64),
                fresh=True,
            )


def make_layout(
    text: EncodedText,
    *,
    tokens_per_chunk: int,
    seq_len: int,
    rows: int | None = None,
    window: int | None = None,
) -> Layout:
    """Choose the layout for a text; the arguments are those of the layouts."""
    if window is not None:
        return WindowLayout(text, window=window, rows=rows or max(1, tokens_per_chunk // window))
    if text.single_text:
        rows = rows or max(1, tokens_per_chunk // seq_len)
        return StreamLayout(text, rows=rows, seq_len=seq_len)
    return DocumentLayout(text, tokens_per_chunk=tokens_per_chunk, seq_len=seq_len, rows=rows)


def _read_pieces(
    token_ids: TokenArray,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    seq_len: int,
) -> Iterator[Chunk]:
    """Lay B pieces side by side.

    The targets of a piece are ``token_ids[start + 1 : start + length + 1]``. The input before its
    first target is ``<s>``, wherever in the text it begins.
    """
    positions = np.arange(int(lengths.max()))[:, None]  # (T, 1)
    inside = positions < lengths  # (T, B)
    index = np.where(inside, starts + positions, 0)
    inputs = np.where(inside, token_ids[index], PADDING_ID)
    inputs[0] = token_ids[0]
    targets = np.where(inside, token_ids[index + 1], PADDING_ID)
    yield from cut_in_time(inputs, targets, seq_len)


def cut_in_time(
    inputs: npt.NDArray[np.integer], targets: npt.NDArray[np.integer], seq_len: int
) -> Iterator[Chunk]:
    """Cut (length, B) arrays in time into chunks of equal length T <= seq_len, padding the last."""
    length = len(inputs)
    count = -(-length // seq_len)
    steps = -(-length // count)
    if count > 1 or steps > _LENGTH_MULTIPLE:
        steps = min(seq_len, -(-steps // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE)
    for start in range(0, length, steps):
        shape = (steps, inputs.shape[1])
        chunk_inputs = np.full(shape, PADDING_ID, np.int64)
        chunk_targets = np.full(shape, PADDING_ID, np.int64)
        part = slice(start, min(start + steps, length))
        chunk_inputs[: part.stop - start] = inputs[part]
        chunk_targets[: part.stop - start] = targets[part]
        yield Chunk(chunk_inputs, chunk_targets, fresh=start == 0)
