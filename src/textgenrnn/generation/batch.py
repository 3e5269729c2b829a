"""Many texts at once: rows that advance together, end one by one and are filled again.

Text i of a call draws its random numbers from (seed, i, attempt) alone, so that neither the size
of the batch nor the order in which rows end changes a text beyond float rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textgenrnn.config import SamplingConfig
from textgenrnn.errors import ModelFileError, NotTrainedError
from textgenrnn.generation.forms import AnyDecoder
from textgenrnn.generation.result import FinishReason, GenerationResult
from textgenrnn.generation.sampling import draw, filter_logits
from textgenrnn.generation.strings import Bans, completes_any, cut_at_first
from textgenrnn.network.parameters import FloatArray
from textgenrnn.tokenizers import META_TOKEN, PADDING_ID

__all__ = ["Batch", "Request"]

_DRAWN_AHEAD = 256
"""Random numbers that a row draws at a time."""
_FIRST_CAPACITY = 512
"""Tokens after the prefix that rows have room for at first; it doubles when they need more."""


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
        decoder: AnyDecoder,
        sampling: SamplingConfig,
        *,
        prefix: str = "",
        batch_size: int,
        entropy: int,
    ) -> None:
        self._decoder, self._sampling = decoder, sampling
        self._tokenizer = decoder.tokenizer
        self._meta_id = decoder.tokenizer.vocabulary.meta_id
        if set(decoder.tokenizer.vocabulary.tokens) <= {META_TOKEN}:
            raise NotTrainedError("the model knows no characters yet; train it on a text first.")
        self._prefix = prefix
        self._prefix_ids = decoder.tokenizer.encode(prefix)
        self._entropy = entropy
        self._temperatures = np.array(sampling.temperatures, np.float32)
        self._prefix_is_all = len(self._prefix_ids) >= sampling.max_tokens
        # How many of a row's last characters are watched for strings.
        self._watched = max((len(s) for s in (*sampling.stop, *sampling.banned)), default=0)
        self._bans: dict[int, Bans] = {}  # made when needed; by what pieces they are of
        read_first = [] if self._prefix_is_all else self._prefix_ids.tolist()
        self._start, self._start_logits = decoder.read([decoder.start_id, *read_first])
        # Rows [0, len(self.requests)) are active.
        self.requests: list[Request] = []
        self._state = decoder.initial_state(batch_size)
        self._logits = np.empty((batch_size, decoder.config.vocab_size), np.float32)
        self._longest = len(self._prefix_ids)  # no active row has more tokens
        capacity = self._longest + min(sampling.max_tokens, _FIRST_CAPACITY)
        self._tokens = np.zeros((batch_size, capacity), np.int32)
        self._tokens[:, : self._longest] = self._prefix_ids
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
        sequence = np.random.SeedSequence(self._entropy, spawn_key=(request.index, request.attempt))
        self._generators.append(np.random.Generator(np.random.PCG64(sequence)))
        self._tails.append(self._prefix[-self._watched :] if self._watched else "")

    def step(self) -> list[tuple[Request, GenerationResult]]:
        """Advance every active row by one token.

        Returns:
            The texts that ended, in the order of their rows, which are free again.

        Raises:
            ModelFileError: If a text ended whose probabilities were no numbers.
        """
        n = len(self.requests)
        if not n:
            return []
        if self._prefix_is_all:
            return self._release(dict.fromkeys(range(n), "length"))
        logits, dead = self._masked_logits(n)
        tokens = self._draw(logits)
        going = tokens != self._meta_id
        ended: dict[int, FinishReason] = dict.fromkeys(np.flatnonzero(~going).tolist(), "end")
        ended.update(dict.fromkeys(dead, "banned"))
        self._append(tokens, going)
        if self._watched:
            for row in np.flatnonzero(going).tolist():
                tail = self._tails[row]
                piece = self._tokenizer.pieces(tail)[tokens[row]]
                if completes_any(self._sampling.stop, tail, piece):
                    ended[row] = "stop"
                self._tails[row] = (tail + piece)[-self._watched :]
        for row in np.flatnonzero(self._lengths[:n] >= self._sampling.max_tokens).tolist():
            ended.setdefault(row, "length")
        # Ended rows read their token too: cheaper than leaving them out of the product.
        if len(ended) < n:
            self._logits[:n] = self._decoder.step(self._state, tokens)
        return self._release(ended)

    def generated_ids(self, row: int) -> npt.NDArray[np.int32]:
        """Return the ids after the prefix that an active row has so far (a view)."""
        return self._tokens[row, len(self._prefix_ids) : self._lengths[row]]

    def _masked_logits(self, n: int) -> tuple[FloatArray, list[int]]:
        """Return logits (n, V) without what must not come, and the rows in which nothing may.

        Padding never comes, ``<s>`` not where a text may not end, nor any token that completes a
        banned string. Rows in which nothing may come are left ``<s>``.
        """
        logits = self._logits[:n]
        logits[:, PADDING_ID] = -np.inf
        if self._decoder.config.single_text:
            logits[:, self._meta_id] = -np.inf
        elif self._sampling.min_tokens:
            logits[self._lengths[:n] < self._sampling.min_tokens, self._meta_id] = -np.inf
        if not self._sampling.banned:
            return logits, []
        for row, tail in enumerate(self._tails):
            pieces = self._tokenizer.pieces(tail)
            if id(pieces) not in self._bans:
                self._bans[id(pieces)] = Bans(self._sampling.banned, pieces)
            for token_ids in self._bans[id(pieces)].after(tail):
                logits[row, token_ids] = -np.inf
        dead: list[int] = np.flatnonzero(np.isneginf(logits.max(axis=1))).tolist()
        logits[dead, self._meta_id] = 0
        return logits, dead

    def _draw(self, logits: FloatArray) -> npt.NDArray[np.int64]:
        """Return a token per row (n,)."""
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
        return draw(filtered, self._next_uniforms(n))

    def _next_uniforms(self, n: int) -> npt.NDArray[np.float64]:
        """Return the next random number of each of the first n rows."""
        cursors = self._cursors[:n]
        for row in np.flatnonzero(cursors == _DRAWN_AHEAD):
            self._generators[row].random(out=self._uniforms[row])
            cursors[row] = 0
        uniforms: npt.NDArray[np.float64] = self._uniforms[np.arange(n), cursors]
        cursors += 1
        return uniforms

    def _append(self, tokens: npt.NDArray[np.int64], going: npt.NDArray[np.bool_]) -> None:
        """Store the tokens (n,) of the rows that go on, (n,)."""
        lengths = self._lengths[: len(tokens)]
        if self._longest == self._tokens.shape[1]:
            self._longest = int(lengths.max())  # the bound; its row may have ended since
            if self._longest == self._tokens.shape[1]:
                self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)], axis=1)
        self._longest += 1
        rows = np.flatnonzero(going)
        self._tokens[rows, lengths[rows]] = tokens[rows]
        lengths += going

    def _release(self, ended: dict[int, FinishReason]) -> list[tuple[Request, GenerationResult]]:
        """Take out the rows that ended; the last active rows move into their places."""
        finished = []
        for row in sorted(ended, reverse=True):
            finished.append((self.requests[row], self._result(row, ended[row])))
            last = len(self.requests) - 1
            if row != last:
                self._state.assign_row(row, self._state, last)
                for values in (self._logits, self._lengths, self._uniforms, self._cursors):
                    values[row] = values[last]
                self._tokens[row, : self._lengths[row]] = self._tokens[last, : self._lengths[row]]
            kept: tuple[list[Any], ...] = (self.requests, self._generators, self._tails)
            for items in kept:
                items[row] = items[last]
                items.pop()
        return finished[::-1]

    def _result(self, row: int, reason: FinishReason) -> GenerationResult:
        generated = self.generated_ids(row)
        # Draws can pick padding only where no probability is a number. A vocabulary without `<s>`
        # has padding in its place, but nothing ends by itself then.
        if not generated.all() or (reason == "end" and self._meta_id == PADDING_ID):
            raise ModelFileError(
                "the model's predictions are not numbers: its weights are so large that sums "
                "overflow, because the file is damaged or its training diverged; use another copy "
                "or train again with a lower learning rate."
            )
        text = self._prefix + self._tokenizer.decode(generated, after=self._prefix)
        if reason == "stop":
            text = cut_at_first(
                self._sampling.stop, text, len(self._prefix), keep=self._sampling.keep_stop
            )
        ids = tuple(self._tokens[row, : self._lengths[row]].tolist())
        return GenerationResult(text, self._prefix, ids, reason)
