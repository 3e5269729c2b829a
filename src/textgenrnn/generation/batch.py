"""Many texts at once: rows that advance together, end one by one and are filled again.

Text i of a call draws its random numbers from (seed, i, attempt) alone, so that neither the size
of the batch nor the order in which rows end changes a text beyond float rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import NotTrainedError
from textgenrnn.generation.decoder import Decoder, DecoderState
from textgenrnn.generation.result import FinishReason, GenerationResult
from textgenrnn.generation.sampling import draw, filter_logits
from textgenrnn.network.parameters import FloatArray
from textgenrnn.tokenizers import PADDING_ID

__all__ = ["Batch", "Request"]

_DRAWN_AHEAD = 256
"""Random numbers that a row draws at a time."""


@dataclass(frozen=True)
class Request:
    """A text to generate: number ``index`` of the call, for the ``attempt``-th time."""

    index: int
    attempt: int = 0


class Batch:
    """The rows of one call. Not thread-safe; make one per thread, they share the decoder.

    Args:
        decoder: What predicts.
        sampling: How to draw and when to stop.
        prefix: Every text begins with it.
        batch_size: Most rows that advance together.
        entropy: What all random numbers of the call follow from.

    Raises:
        NotTrainedError: If the vocabulary holds nothing that could be generated.
    """

    def __init__(
        self,
        decoder: Decoder,
        sampling: SamplingConfig,
        *,
        prefix: str = "",
        batch_size: int,
        entropy: int,
    ) -> None:
        self._decoder, self._sampling = decoder, sampling
        self._tokenizer = decoder.tokenizer
        self._meta_id = decoder.tokenizer.vocabulary.meta_id
        if len(decoder.tokenizer.vocabulary) < 2:
            raise NotTrainedError("the model knows no characters yet; train it on a text first.")
        self._prefix = prefix
        self._prefix_ids = decoder.tokenizer.encode(prefix)
        self._entropy = entropy
        self._temperatures = np.array(sampling.temperatures, np.float32)
        # A string may begin in the prefix, but counts only where it ends after it.
        self._watched = max((len(s) for s in (*sampling.stop, *sampling.banned)), default=0)
        self._start, self._start_logits = self._read_prefix()
        self._limit = max(sampling.max_tokens, len(self._prefix_ids))
        # Rows [0, len(self.requests)) are active.
        self.requests: list[Request] = []
        self._state = decoder.initial_state(batch_size)
        self._logits = np.empty((batch_size, decoder.config.vocab_size), np.float32)
        self._tokens = np.zeros((batch_size, self._limit), np.int32)
        self._tokens[:, : len(self._prefix_ids)] = self._prefix_ids
        self._lengths = np.zeros(batch_size, np.int64)
        self._uniforms = np.empty((batch_size, _DRAWN_AHEAD))
        self._cursors = np.zeros(batch_size, np.int64)
        self._generators: list[np.random.Generator] = []
        self._tails: list[str] = []

    @property
    def free_rows(self) -> int:
        """How many texts can be added now."""
        return len(self._lengths) - len(self.requests)

    def add(self, request: Request) -> None:
        """Start a text in a free row."""
        row = len(self.requests)
        self.requests.append(request)
        self._state.assign_row(row, self._start, 0)
        self._logits[row] = self._start_logits
        self._lengths[row] = len(self._prefix_ids)
        self._cursors[row] = _DRAWN_AHEAD
        sequence = np.random.SeedSequence((self._entropy, request.index, request.attempt))
        self._generators.append(np.random.Generator(np.random.PCG64(sequence)))
        self._tails.append(self._prefix[-self._watched :] if self._watched else "")

    def step(self) -> list[tuple[Request, GenerationResult]]:
        """Advance every active row by one token; return the texts that ended, freeing their rows.
        """
        ended: dict[int, FinishReason] = {}
        for row in np.flatnonzero(self._lengths[: len(self.requests)] >= self._sampling.max_tokens):
            ended[int(row)] = "length"
        finished = self._release(ended)
        n = len(self.requests)
        if not n:
            return finished
        logits = self._masked_logits(n)
        tokens, dead = self._draw(logits)
        ended = dict.fromkeys(dead, "banned")
        for row in np.flatnonzero(tokens == self._meta_id):
            ended.setdefault(int(row), "end")
        rows = np.arange(n)
        going = np.ones(n, bool)
        going[list(ended)] = False
        self._tokens[rows[going], self._lengths[:n][going]] = tokens[going]
        self._lengths[:n] += going
        if self._watched:
            for row in map(int, rows[going]):
                piece = self._tokenizer.decode(tokens[row : row + 1])
                if _completes_any(self._sampling.stop, self._tails[row], piece):
                    ended[row] = "stop"
                self._tails[row] = (self._tails[row] + piece)[-self._watched :]
        for row in np.flatnonzero(self._lengths[:n] >= self._sampling.max_tokens):
            ended.setdefault(int(row), "length")
        # Ended rows read their token too: cheaper than leaving them out of the product.
        if len(ended) < n:
            self._logits[:n] = self._decoder.step(self._state, tokens)
        return finished + self._release(ended)

    def generated_ids(self, row: int) -> npt.NDArray[np.int32]:
        """Return the ids after the prefix that an active row has so far (a view)."""
        return self._tokens[row, len(self._prefix_ids) : self._lengths[row]]

    def _read_prefix(self) -> tuple[DecoderState, FloatArray]:
        """Return the state and logits (V,) after ``<s>`` and the prefix; every text starts there."""
        state = self._decoder.initial_state(1)
        logits = self._decoder.step(state, np.array([self._meta_id]))
        for token in self._prefix_ids:
            logits = self._decoder.step(state, np.array([token]))
        return state, logits[0].copy()

    def _masked_logits(self, n: int) -> FloatArray:
        """Return logits (n, V) without padding, and without ``<s>`` where a text may not end."""
        logits = self._logits[:n]
        logits[:, PADDING_ID] = -np.inf
        if self._decoder.config.single_text:
            logits[:, self._meta_id] = -np.inf
        elif self._sampling.min_tokens:
            logits[self._lengths[:n] < self._sampling.min_tokens, self._meta_id] = -np.inf
        return logits

    def _draw(self, logits: FloatArray) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Return a token per row, and the rows in which every token is banned."""
        n = len(logits)
        lengths = self._lengths[:n]
        # Position counts `<s>`: the first token after it has the first temperature.
        count = len(self._temperatures)
        temperature = (
            self._temperatures[lengths % count][:, None] if count > 1 else self._temperatures[0]
        )
        recent: list[npt.NDArray[np.int32]] = []
        if self._sampling.repetition_penalty is not None:
            window = self._sampling.repetition_window
            recent = [self._tokens[r, max(0, m - window) : m] for r, m in enumerate(lengths)]
        filtered = filter_logits(logits, self._sampling, temperature, recent)
        tokens = draw(filtered, self._next_uniforms(np.arange(n)))
        dead = []
        if self._sampling.banned:
            for row in range(n):
                if not self._redraw_while_banned(row, tokens, logits[row : row + 1], temperature):
                    dead.append(row)
        return tokens, dead

    def _redraw_while_banned(
        self,
        row: int,
        tokens: npt.NDArray[np.int64],
        logits: FloatArray,
        temperature: float | FloatArray,
    ) -> bool:
        """Ban the drawn token and draw again while it completes a banned string.

        Equal to banning all such tokens beforehand, without trying the whole vocabulary.

        Returns:
            False if no token is left.
        """
        if isinstance(temperature, np.ndarray) and temperature.ndim:
            temperature = temperature[row : row + 1]
        allowed = logits.copy()
        recent = [self._tokens[row, : self._lengths[row]][-self._sampling.repetition_window :]]
        while _completes_any(
            self._sampling.banned, self._tails[row], self._tokenizer.decode(tokens[row : row + 1])
        ):
            allowed[0, tokens[row]] = -np.inf
            if np.isneginf(allowed).all():
                return False
            filtered = filter_logits(allowed, self._sampling, temperature, recent)
            tokens[row] = draw(filtered, self._next_uniforms(np.array([row])))[0]
        return True

    def _next_uniforms(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return each row's next random number."""
        for row in rows[self._cursors[rows] == _DRAWN_AHEAD]:
            self._generators[row].random(out=self._uniforms[row])
            self._cursors[row] = 0
        uniforms: npt.NDArray[np.float64] = self._uniforms[rows, self._cursors[rows]]
        self._cursors[rows] += 1
        return uniforms

    def _release(self, ended: dict[int, FinishReason]) -> list[tuple[Request, GenerationResult]]:
        """Take out the rows that ended; the last active rows move into their places."""
        finished = []
        for row in sorted(ended, reverse=True):
            finished.append((self.requests[row], self._result(row, ended[row])))
            last = len(self.requests) - 1
            if row != last:
                self._state.assign_row(row, self._state, last)
                for rows in (
                    self._logits, self._tokens, self._lengths, self._uniforms, self._cursors
                ):
                    rows[row] = rows[last]
            for items in (self.requests, self._generators, self._tails):
                items[row] = items[last]
                items.pop()
        return finished[::-1]

    def _result(self, row: int, reason: FinishReason) -> GenerationResult:
        text = self._prefix + self._tokenizer.decode(self.generated_ids(row))
        if reason == "stop":
            text = _cut_at_stop(text, self._sampling, len(self._prefix))
        ids = tuple(self._tokens[row, : self._lengths[row]].tolist())
        return GenerationResult(text, self._prefix, ids, reason)


def _completes_any(strings: tuple[str, ...], tail: str, piece: str) -> bool:
    """Whether one of the strings stands in ``tail + piece`` and ends within the piece."""
    text = tail + piece
    return any(text.find(s, max(0, len(tail) - len(s) + 1)) >= 0 for s in strings)


def _cut_at_stop(text: str, sampling: SamplingConfig, prefix_length: int) -> str:
    """Cut at the first stop string that ends after the prefix, which is kept whatever happens."""
    found = [
        (start, len(stop))
        for stop in sampling.stop
        if (start := text.find(stop, max(0, prefix_length - len(stop) + 1))) >= 0
    ]
    start, length = min(found)
    return text[: start + length] if sampling.keep_stop else text[: max(start, prefix_length)]
