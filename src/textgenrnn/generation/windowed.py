"""A windowed model made ready for fast decoding: one step per token for a batch of rows.

The equations are those of :mod:`textgenrnn.network.windowed`: each prediction reads the last T
tokens from zero state. Done as written, that is T steps of the layers for every token. But at any
time T windows are under way: the one that ends with the present token, the one that ends with the
next, and so on, each begun one token after the other, and all of them read the same token now. So
the decoder keeps the states of these T windows side by side and advances them together, with one
product per layer. The work is the same, but T windows share every weight that is fetched and every
call. The window that has read T tokens gives the prediction; the next one to begin takes its place.

Each window's attention average is kept as it goes along: the greatest score so far, and the sums
relative to it, rescaled when a greater one comes (Milakov and Gimelshein, 2018).

Windows that begin before the text have read padding. Their states are the same for every text, so
they are computed once, and every text starts from a copy.

Letters: B batch, T ``context_length``, V vocabulary, H hidden, L layers, C = E + L·H.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.generation.cells import advance_cells, gates_for_tanh
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray
from textgenrnn.network.windowed import ATTENTION_EPSILON
from textgenrnn.tokenizers import PADDING_ID

__all__ = ["WindowedDecoder", "WindowedState"]

_FOLDED_BYTES = 8 * 2**20
"""Largest size of the first layer's table."""
_CHUNK_BYTES = 2_000_000
"""What rows that advance together may work on, about, so that it stays in the cache."""


class WindowedState:
    """What a batch of rows remembers: W windows each, under way.

    A state belongs to one caller; the decoder that it comes from is shared. Rows [0, n) are active
    when a step is given n tokens.

    Attributes:
        averages: (B, C) attention average of each row's last T tokens.
    """

    def __init__(self, config: ModelConfig, batch_size: int, windows: int) -> None:
        hidden, layers, size = config.hidden_size, config.num_layers, config.concat_size
        # [embedding, h_1 … h_L] of the token that was read last, and the cells.
        self.features = np.zeros((batch_size, windows, size), np.float32)
        self.cells = np.zeros((layers, batch_size, windows, hidden), np.float32)
        # Greatest score so far; sums of weights and of weighted features, relative to it.
        self.top = np.full((batch_size, windows), -np.inf, np.float32)
        self.total = np.zeros((batch_size, windows), np.float32)
        self.sums = np.zeros((batch_size, windows, size), np.float32)
        # Tokens read. The window in slot `position % W` is the next to begin.
        self.position = np.zeros(batch_size, np.int64)
        self.averages = np.zeros((batch_size, size), np.float32)
        # Scratch.
        chunk_bytes = 4 * windows * (5 * hidden + 3 * size)
        self.chunk = min(batch_size, max(1, _CHUNK_BYTES // chunk_bytes))
        self.gates = np.empty((self.chunk * windows, 4 * hidden), np.float32)
        self.products = np.empty((self.chunk * windows, hidden), np.float32)
        self.weighted = np.empty((self.chunk, windows, size), np.float32)

    def assign_row(self, row: int, source: WindowedState, source_row: int) -> None:
        """Let a row go on where a row of another state (or of this one) stands."""
        for name in ("features", "top", "total", "sums", "position", "averages"):
            getattr(self, name)[row] = getattr(source, name)[source_row]
        self.cells[:, row] = source.cells[:, source_row]

    def begin_windows(self, n: int) -> None:
        """Let a new window of the first n rows begin, in place of the one that ended."""
        rows = np.arange(n)
        slots = self.position[:n] % self.top.shape[1]
        self.features[rows, slots] = 0
        self.cells[:, rows, slots] = 0
        self.top[rows, slots] = -np.inf
        self.total[rows, slots] = 0
        self.sums[rows, slots] = 0


class WindowedDecoder:
    """A unidirectional model's parameters, rearranged for stepping. Immutable and thread-safe.

    Args:
        model: The model to generate from.

    Example:
        >>> decoder = WindowedDecoder(model)                            # doctest: +SKIP
        >>> state, logits = decoder.read([decoder.start_id])            # doctest: +SKIP
        >>> logits = decoder.step(state, np.array([5]))                 # doctest: +SKIP
    """

    def __init__(self, model: LanguageModel) -> None:
        config, parameters = model.config, model.parameters
        assert config.form == "windowed"
        assert not config.bidirectional
        self.config = config
        self.tokenizer = model.tokenizer
        self.start_id = model.start_id
        self._embedding = parameters["embedding.weight"]
        # All windows of a row read the same token, so its part of the gates is needed once: looked
        # up in a table while that is small enough.
        self._input_kernel = gates_for_tanh(parameters["rnn_1.kernel"])
        self._table: FloatArray | None = None
        if config.vocab_size * 4 * config.hidden_size * 4 <= _FOLDED_BYTES:
            bias = gates_for_tanh(parameters["rnn_1.bias"])
            self._table = self._embedding @ self._input_kernel + bias
        self._matrices = [gates_for_tanh(parameters["rnn_1.recurrent_kernel"])]
        for layer in range(2, config.num_layers + 1):
            names = (f"rnn_{layer}.kernel", f"rnn_{layer}.recurrent_kernel")
            matrix = np.concatenate([parameters[name] for name in names])
            self._matrices.append(gates_for_tanh(matrix))
        self._biases = [
            gates_for_tanh(parameters[f"rnn_{layer}.bias"])
            for layer in range(1, config.num_layers + 1)
        ]
        self._attention = parameters["attention.weight"][0]
        self._output_kernel = parameters["output.kernel"]
        self._output_bias = parameters["output.bias"]
        self._start = self._after_padding()

    def initial_state(self, batch_size: int) -> WindowedState:
        """Return the state of rows that have read nothing yet."""
        state = WindowedState(self.config, batch_size, self.config.context_length)
        for name in ("features", "top", "total", "sums"):
            getattr(state, name)[:] = getattr(self._start, name)
        state.cells[:] = self._start.cells
        return state

    def read(self, token_ids: Sequence[int]) -> tuple[WindowedState, FloatArray]:
        """Return the state of one row that has read tokens, at least one, and the logits (V,)."""
        state = self.initial_state(1)
        for token in token_ids[-self.config.context_length :]:
            logits = self.step(state, np.array([token]))
        return state, logits[0]

    def step(self, state: WindowedState, token_ids: npt.NDArray[np.integer]) -> FloatArray:
        """Read one token per active row.

        Args:
            state: Changed in place.
            token_ids: (n,) ids in [0, V); the first n rows of the state are active.

        Returns:
            Logits (n, V) of the next token, which the caller may change.
        """
        n = len(token_ids)
        state.begin_windows(n)
        self._advance(state, token_ids)
        state.position[:n] += 1
        rows = np.arange(n)
        slots = state.position[:n] % self.config.context_length  # read T tokens; begin next
        total = state.total[rows, slots] + np.float32(ATTENTION_EPSILON)
        state.averages[:n] = state.sums[rows, slots] / total[:, None]
        logits: FloatArray = np.dot(state.averages[:n], self._output_kernel)
        logits += self._output_bias
        return logits

    def _advance(self, state: WindowedState, token_ids: npt.NDArray[np.integer]) -> None:
        """Let all windows of the active rows read their row's token, (n,)."""
        n = len(token_ids)
        embedded = self._embedding[token_ids]  # (n, E)
        if self._table is not None:
            gates = self._table[token_ids]  # (n, 4H)
        else:
            gates = np.dot(embedded, self._input_kernel) + self._biases[0]
        for start in range(0, n, state.chunk):
            rows = slice(start, min(start + state.chunk, n))
            self._run_layers(state, rows, embedded[rows], gates[rows])
            self._attend(state, rows)

    def _run_layers(
        self, state: WindowedState, rows: slice, embedded: FloatArray, input_gates: FloatArray
    ) -> None:
        """Advance the layers of some rows by one token, whose part of the first gates is given."""
        features, hidden = state.features[rows], self.config.hidden_size
        features[:, :, : embedded.shape[1]] = embedded[:, None]
        flat = features.reshape(-1, features.shape[2])  # one row per window
        gates, products = state.gates[: len(flat)], state.products[: len(flat)]
        end = embedded.shape[1]
        for layer, matrix in enumerate(self._matrices):
            end += hidden
            np.dot(flat[:, end - len(matrix) : end], matrix, out=gates)
            if layer == 0:
                by_row = gates.reshape(*features.shape[:2], -1)
                by_row += input_gates[:, None]
            else:
                gates += self._biases[layer]
            cells = state.cells[layer, rows].reshape(len(flat), hidden)
            advance_cells(gates, cells, products, flat[:, end - hidden : end])

    def _attend(self, state: WindowedState, rows: slice) -> None:
        """Add what some rows read last to the sums of their windows."""
        features, total, sums = state.features[rows], state.total[rows], state.sums[rows]
        weighted = state.weighted[: len(features)]
        scores = np.dot(features, self._attention)  # (rows, T)
        top = np.maximum(state.top[rows], scores)
        rescale = np.exp(state.top[rows] - top)
        weights = np.exp(scores - top)
        state.top[rows] = top
        total *= rescale
        total += weights
        sums *= rescale[:, :, None]
        np.multiply(features, weights[:, :, None], out=weighted)
        sums += weighted

    def _after_padding(self) -> WindowedState:
        """Return a row whose windows have read what stands before a text: only padding."""
        length = self.config.context_length
        start = WindowedState(self.config, 1, length)
        window = WindowedState(self.config, 1, 1)
        # The window in slot s ends with the text's s-th token; that in slot 0 is yet to begin.
        for slot in range(length - 1, 0, -1):
            self._advance(window, np.array([PADDING_ID]))
            for name in ("features", "top", "total", "sums"):
                getattr(start, name)[:, slot] = getattr(window, name)[:, 0]
            start.cells[:, :, slot] = window.cells[:, :, 0]
        return start
