"""A recurrent model made ready for fast decoding: one step per token for a batch of rows.

The equations are those of :mod:`textgenrnn.network.forward`; four rewritings make a step cheap:

- a single tanh serves all four gates of a layer (:mod:`textgenrnn.generation.cells`);
- the embedding is folded into the first layer's input product and into the output layer (one
  table row per token), as long as the tables stay small enough for the processor's cache;
- the layers' outputs stand side by side in one buffer, so that [h_{k-1}, h_k] and the output
  layer's input are views of it, and every product writes into memory that is kept;
- the output layer is linear, so an attention average of features can be taken after it: one product
  gives a position's own logits, its contribution to later averages, and its score.

Letters: B batch, V vocabulary, E embedding, H hidden, L layers, C = E + L·H, A attention heads,
S attention span, P = V columns of the output product, or V + A·V + A with attention.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.generation.cells import advance_cells, gates_for_tanh
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import FloatArray, Parameters

__all__ = ["Decoder", "DecoderState"]

_FOLDED_BYTES = 8 * 2**20
"""Largest size of a folded table. Beyond it, fetching rows costs more than the small product."""


class DecoderState:
    """What a batch of rows remembers, and the scratch memory of its steps.

    A state belongs to one caller; the decoder that it comes from is shared. Rows [0, n) are
    active when a step is given n tokens.
    """

    def __init__(self, config: ModelConfig, batch_size: int, *, folded: bool) -> None:
        hidden, layers = config.hidden_size, config.num_layers
        self.embedding_columns = 0 if folded else config.embedding_size
        # Kept from step to step: [embedding unless folded, h_1 … h_L] and the cells.
        self.features = np.zeros((batch_size, self.embedding_columns + layers * hidden), np.float32)
        self.cells = np.zeros((layers, batch_size, hidden), np.float32)
        heads = config.attention_heads if config.attention else 0
        span = config.context_length
        self.context = np.zeros((batch_size, heads, span, config.vocab_size), np.float32)
        self.scores = np.full((batch_size, heads, span), -np.inf, np.float32)
        self.position = np.zeros(batch_size, np.int64)
        # Scratch.
        self.gates = np.empty((batch_size, 4 * hidden), np.float32)
        self.table_rows = np.empty((batch_size, 4 * hidden), np.float32)
        self.products = np.empty((batch_size, hidden), np.float32)
        columns = config.vocab_size * (1 + heads) + heads
        self.outputs = np.empty((batch_size, columns), np.float32)
        self.output_rows = np.empty((batch_size, columns), np.float32)

    def assign_row(self, row: int, source: DecoderState, source_row: int) -> None:
        """Let a row go on where a row of another state (or of this one) stands."""
        for name in ("features", "context", "scores", "position"):
            getattr(self, name)[row] = getattr(source, name)[source_row]
        self.cells[:, row] = source.cells[:, source_row]


class Decoder:
    """A recurrent model's parameters, rearranged for stepping. Immutable and thread-safe.

    :func:`~textgenrnn.generation.forms.make_decoder` makes the fitting one for any model.

    Args:
        model: The model to generate from, of the recurrent form.

    Example:
        >>> decoder = Decoder(model)                                    # doctest: +SKIP
        >>> state, logits = decoder.read([decoder.start_id])            # doctest: +SKIP
        >>> logits = decoder.step(state, np.array([5]))                 # doctest: +SKIP
    """

    def __init__(self, model: LanguageModel) -> None:
        config, parameters = model.config, model.parameters
        assert config.form == "recurrent"
        self.config = config
        self.tokenizer = model.tokenizer
        self.start_id = model.start_id
        hidden, embedding_size = config.hidden_size, config.embedding_size
        output_kernel, output_bias = _output_product(parameters, config)
        table_columns = max(4 * hidden, output_kernel.shape[1])
        self._folded = config.vocab_size * table_columns * 4 <= _FOLDED_BYTES
        self._embedding = parameters["embedding.weight"]
        self._matrices: list[FloatArray] = []
        self._biases: list[FloatArray] = []
        for layer in range(1, config.num_layers + 1):
            kernel = parameters[f"rnn_{layer}.kernel"]
            recurrent = parameters[f"rnn_{layer}.recurrent_kernel"]
            bias = parameters[f"rnn_{layer}.bias"]
            if layer == 1 and self._folded:
                self._input_table = gates_for_tanh(self._embedding @ kernel + bias)
                matrix = recurrent
            else:
                matrix = np.concatenate([kernel, recurrent])
            self._matrices.append(gates_for_tanh(matrix))
            self._biases.append(gates_for_tanh(bias))
        if self._folded:
            self._output_table = self._embedding @ output_kernel[:embedding_size] + output_bias
            output_kernel = output_kernel[embedding_size:]
        self._output_kernel = np.ascontiguousarray(output_kernel)  # (features, P)
        self._output_bias = output_bias
        if config.attention:
            self._scores_by_slot = _scores_by_slot(parameters["attention.position"])

    def initial_state(self, batch_size: int) -> DecoderState:
        """Return the state of rows that have read nothing yet."""
        return DecoderState(self.config, batch_size, folded=self._folded)

    def read(self, token_ids: Sequence[int]) -> tuple[DecoderState, FloatArray]:
        """Return the state of one row that has read tokens, at least one, and the logits (V,)."""
        state = self.initial_state(1)
        for token in token_ids:
            logits = self.step(state, np.array([token]))
        return state, logits[0].copy()

    def step(self, state: DecoderState, token_ids: npt.NDArray[np.integer]) -> FloatArray:
        """Read one token per active row.

        Args:
            state: Changed in place.
            token_ids: (n,) ids in [0, V); the first n rows of the state are active.

        Returns:
            Logits (n, V) of the next token: a view of the state's memory, which the next step
            overwrites and the caller may change.
        """
        n = len(token_ids)
        hidden = self.config.hidden_size
        features = state.features[:n]
        gates, products = state.gates[:n], state.products[:n]
        first = state.embedding_columns  # where h_1 begins
        if not self._folded:
            features[:, :first] = self._embedding[token_ids]
        for layer, matrix in enumerate(self._matrices):
            end = first + (layer + 1) * hidden
            np.dot(features[:, end - matrix.shape[0] : end], matrix, out=gates)
            if layer == 0 and self._folded:
                # mode="clip" writes straight into `out`; the ids are in range anyway.
                gates += self._input_table.take(
                    token_ids, axis=0, out=state.table_rows[:n], mode="clip"
                )
            else:
                gates += self._biases[layer]
            output = features[:, end - hidden : end]
            advance_cells(gates, state.cells[layer, :n], products, output)
        outputs = state.outputs[:n]
        np.dot(features, self._output_kernel, out=outputs)
        if self._folded:
            outputs += self._output_table.take(
                token_ids, axis=0, out=state.output_rows[:n], mode="clip"
            )
        else:
            outputs += self._output_bias
        return self._attend(state, outputs) if self.config.attention else outputs

    def _attend(self, state: DecoderState, outputs: FloatArray) -> FloatArray:
        """Add each row's averages over its last S contributions to its own logits, (n, V)."""
        n, size, heads = len(outputs), self.config.vocab_size, self.config.attention_heads
        rows = np.arange(n)
        slots = state.position[:n] % self.config.context_length
        state.context[rows, :, slots] = outputs[:, size : (1 + heads) * size].reshape(
            n, heads, size
        )
        state.scores[rows, :, slots] = outputs[:, (1 + heads) * size :]
        state.position[:n] += 1
        # Empty slots have score -inf, so weight 0.
        weights = state.scores[:n] + self._scores_by_slot[slots]  # (n, A, S)
        weights -= weights.max(axis=2, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=2, keepdims=True)
        logits = outputs[:, :size]
        # One product sums over slots and heads.
        logits += np.matmul(weights.reshape(n, 1, -1), state.context[:n].reshape(n, -1, size))[:, 0]
        return logits


def _scores_by_slot(position: FloatArray) -> FloatArray:
    """Return what distance adds to the scores of all slots, (S, A, S), by the newest one's slot.

    Args:
        position: (A, S) by distance.
    """
    slots = np.arange(position.shape[1])
    distance = (slots[:, None] - slots) % len(slots)  # (newest, slot)
    return np.ascontiguousarray(position[:, distance].transpose(1, 0, 2))


def _output_product(parameters: Parameters, config: ModelConfig) -> tuple[FloatArray, FloatArray]:
    """Return the kernel (C, P) and bias (P,) of everything that a position's features give.

    With attention the columns are: the position's own logits; for each head what it adds to the
    logits of positions that attend to it; for each head its score.
    """
    kernel, bias = parameters["output.kernel"], parameters["output.bias"]
    if not config.attention:
        return kernel, bias
    kernels = np.split(kernel, 1 + config.attention_heads)
    columns = np.concatenate([*kernels, parameters["attention.weight"].T], axis=1)
    without_bias = np.zeros(columns.shape[1] - len(bias), np.float32)
    return columns, np.concatenate([bias, without_bias])
