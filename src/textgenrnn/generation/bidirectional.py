"""A bidirectional windowed model made ready for decoding: one step per token for a batch of rows.

The equations are those of :mod:`textgenrnn.network.windowed`. Reading backwards begins with the
newest token, so nothing of a step can be used for the next one; but both directions of a layer
advance together, all input products of a layer are one product each, and the first layer's are
looked up in a table (one row per token) while that is small enough.

Letters: B batch, T ``context_length``, V vocabulary, H hidden, L layers, C = E + 2·L·H.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.generation.cells import advance_cells, gates_for_tanh
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray, lstm_names
from textgenrnn.network.windowed import ATTENTION_EPSILON
from textgenrnn.tokenizers import PADDING_ID

__all__ = ["BidirectionalDecoder", "BidirectionalState"]

_FOLDED_BYTES = 8 * 2**20
"""Largest size of the first layer's tables."""
_CHUNK_BYTES = 2_500_000
"""What rows that advance together may work on, about, so that it stays in the cache."""


class BidirectionalState:
    """What a batch of rows remembers: the last T tokens.

    A state belongs to one caller; the decoder that it comes from is shared. Rows [0, n) are active
    when a step is given n tokens.

    Attributes:
        averages: (B, C) attention average of each row's last T tokens.
    """

    def __init__(self, config: ModelConfig, batch_size: int) -> None:
        self.windows = np.full((batch_size, config.context_length), PADDING_ID, np.int64)
        self.averages = np.zeros((batch_size, config.concat_size), np.float32)

    def assign_row(self, row: int, source: BidirectionalState, source_row: int) -> None:
        """Let a row go on where a row of another state (or of this one) stands."""
        self.windows[row] = source.windows[source_row]
        self.averages[row] = source.averages[source_row]


class BidirectionalDecoder:
    """A bidirectional model's parameters, rearranged for stepping. Immutable and thread-safe.

    Args:
        model: The model to generate from.

    Example:
        >>> decoder = BidirectionalDecoder(model)                       # doctest: +SKIP
        >>> state, logits = decoder.read([decoder.start_id])            # doctest: +SKIP
        >>> logits = decoder.step(state, np.array([5]))                 # doctest: +SKIP
    """

    def __init__(self, model: LanguageModel) -> None:
        config, parameters = model.config, model.parameters
        assert config.form == "windowed"
        assert config.bidirectional
        self.config = config
        self.tokenizer = model.tokenizer
        self.start_id = model.start_id
        self._embedding = parameters["embedding.weight"]
        # Of each layer, both directions: kernels, biases, and (2, H, 4H) recurrent kernels.
        self._kernels: list[list[FloatArray]] = []
        self._biases: list[list[FloatArray]] = []
        self._recurrent: list[FloatArray] = []
        for layer in range(1, config.num_layers + 1):
            names = lstm_names(config, layer)
            self._kernels.append([gates_for_tanh(parameters[f"{n}.kernel"]) for n in names])
            self._biases.append([gates_for_tanh(parameters[f"{n}.bias"]) for n in names])
            recurrent = [gates_for_tanh(parameters[f"{n}.recurrent_kernel"]) for n in names]
            self._recurrent.append(np.stack(recurrent))
        self._tables: list[FloatArray] | None = None
        if config.vocab_size * 8 * config.hidden_size * 4 <= _FOLDED_BYTES:
            self._tables = [
                self._embedding @ kernel + bias
                for kernel, bias in zip(self._kernels[0], self._biases[0], strict=True)
            ]
        self._attention = parameters["attention.weight"][0]
        self._output_kernel = parameters["output.kernel"]
        self._output_bias = parameters["output.bias"]
        row_bytes = 4 * config.context_length * (11 * config.hidden_size + config.concat_size)
        self._chunk = max(1, _CHUNK_BYTES // row_bytes)

    def initial_state(self, batch_size: int) -> BidirectionalState:
        """Return the state of rows that have read nothing yet."""
        return BidirectionalState(self.config, batch_size)

    def read(self, token_ids: Sequence[int]) -> tuple[BidirectionalState, FloatArray]:
        """Return the state of one row that has read tokens, at least one, and the logits (V,)."""
        state = self.initial_state(1)
        last = token_ids[-self.config.context_length :]
        state.windows[0, self.config.context_length - len(last) :] = last
        return state, self._predict(state, 1)[0]

    def step(self, state: BidirectionalState, token_ids: npt.NDArray[np.integer]) -> FloatArray:
        """Read one token per active row.

        Args:
            state: Changed in place.
            token_ids: (n,) ids in [0, V); the first n rows of the state are active.

        Returns:
            Logits (n, V) of the next token, which the caller may change.
        """
        n = len(token_ids)
        state.windows[:n, :-1] = state.windows[:n, 1:]
        state.windows[:n, -1] = token_ids
        return self._predict(state, n)

    def _predict(self, state: BidirectionalState, n: int) -> FloatArray:
        """Return the logits (n, V) after the windows of the first n rows."""
        for start in range(0, n, self._chunk):
            rows = slice(start, min(start + self._chunk, n))
            state.averages[rows] = self._averages(state.windows[rows].T)
        logits: FloatArray = np.dot(state.averages[:n], self._output_kernel)
        logits += self._output_bias
        return logits

    def _averages(self, token_ids: npt.NDArray[np.int64]) -> FloatArray:
        """Return the attention averages (n, C) of windows that are given as (T, n)."""
        length, n = token_ids.shape
        hidden, size = self.config.hidden_size, self.config.embedding_size
        features = np.empty((length, n, self.config.concat_size), np.float32)
        features[:, :, :size] = self._embedding[token_ids]
        inputs = features[:, :, :size]
        end = size
        for layer in range(self.config.num_layers):
            gates = np.empty((length, 2, n, 4 * hidden), np.float32)
            if layer == 0 and self._tables is not None:
                gates[:, 0] = self._tables[0][token_ids]
                gates[:, 1] = self._tables[1][token_ids[::-1]]
            else:
                flat = inputs.reshape(length * n, -1)
                for direction, kernel in enumerate(self._kernels[layer]):
                    product = np.dot(flat, kernel).reshape(length, n, -1)
                    gates[:, direction] = product if direction == 0 else product[::-1]
                    gates[:, direction] += self._biases[layer][direction]
            outputs = _run(gates, self._recurrent[layer])
            features[:, :, end : end + hidden] = outputs[:, 0]
            features[:, :, end + hidden : end + 2 * hidden] = outputs[::-1, 1]
            inputs = features[:, :, end : end + 2 * hidden]
            end += 2 * hidden
        scores = np.dot(features, self._attention)  # (T, n)
        weights = np.exp(scores - scores.max(axis=0))
        weights /= weights.sum(axis=0) + np.float32(ATTENTION_EPSILON)
        averages: FloatArray = np.matmul(weights.T[:, None], features.transpose(1, 0, 2))[:, 0]
        return averages


def _run(gates: FloatArray, recurrent: FloatArray) -> FloatArray:
    """Run both directions of a layer over its windows.

    Args:
        gates: (T, 2, n, 4H) input part of the gates, each direction in its own order of reading;
            overwritten.
        recurrent: (2, H, 4H).

    Returns:
        (T, 2, n, H) outputs, in the same order.
    """
    length, _, n, _ = gates.shape
    shape = (2, n, recurrent.shape[1])
    outputs = np.empty((length, *shape), np.float32)
    cells, scratch = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    products = np.empty(gates.shape[1:], np.float32)
    for t in range(length):
        if t:
            np.matmul(outputs[t - 1], recurrent, out=products)
            gates[t] += products
        advance_cells(gates[t], cells, scratch, outputs[t])
    return outputs
