"""The network's equations in plain NumPy: the reference that every faster path must agree with.

Read this to know what a recurrent model computes. For a token x_t, with e_t its embedding::

    i, f, o = sigmoid(gates),  g = tanh(gates)      gates = input_t · K + h_{t-1} · R + b
    c_t = f * c_{t-1} + i * g,   h_t = o * tanh(c_t)    (Hochreiter and Schmidhuber, 1997)

Layer k reads layer k - 1; ``rnn_concat`` = [e_t, h_1 … h_L] of the same position goes to the
output layer, with each attention head's average over the last S = ``context_length`` positions,
weighted by what stands there and how far back it is::

    a_t = sum_s exp(w · x_s + p_{t-s}) x_s / sum_s exp(w · x_s + p_{t-s}),   0 <= t - s < S

Letters: B batch, T steps, V vocabulary, E embedding, H hidden, L layers, A attention heads,
S ``context_length``, C = E + L·H the length of ``rnn_concat``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import FloatArray, Parameters

__all__ = ["RecurrentState", "forward", "log_softmax", "lstm_step", "sigmoid"]


@dataclass(eq=False)
class RecurrentState:
    """What a recurrent network remembers between two calls of :func:`forward`.

    Attributes:
        hidden: (L, B, H) outputs of the layers.
        cell: (L, B, H) cell states.
        context: (B, K, C) the last K < S values of ``rnn_concat``, oldest first; empty without
            attention.
    """

    hidden: FloatArray
    cell: FloatArray
    context: FloatArray

    @classmethod
    def zeros(cls, config: ModelConfig, batch_size: int) -> RecurrentState:
        """Return the state of B = ``batch_size`` rows before their first token."""
        shape = (config.num_layers, batch_size, config.hidden_size)
        return cls(
            hidden=np.zeros(shape, np.float32),
            cell=np.zeros(shape, np.float32),
            context=np.zeros((batch_size, 0, config.concat_size), np.float32),
        )


def sigmoid(x: FloatArray) -> FloatArray:
    """Return the logistic function, written with tanh, which never overflows."""
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, dtype=np.float32)


def log_softmax(logits: FloatArray) -> FloatArray:
    """Return log-probabilities along the last axis, same shape as the logits.

    Each row needs a finite value; -inf stays -inf, a token that cannot come.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float32)


def lstm_step(gates: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Advance one LSTM layer by one token.

    Args:
        gates: (B, 4H) pre-activations, in the order i, f, c, o.
        cell: (B, H) previous cell state.

    Returns:
        The new hidden and cell states, (B, H) each.
    """
    input_gate, forget_gate, candidate, output_gate = np.split(gates, 4, axis=-1)
    cell = sigmoid(forget_gate) * cell + sigmoid(input_gate) * np.tanh(candidate)
    return sigmoid(output_gate) * np.tanh(cell), cell


def forward(
    parameters: Parameters,
    config: ModelConfig,
    token_ids: npt.NDArray[np.integer],
    state: RecurrentState | None = None,
) -> tuple[FloatArray, RecurrentState]:
    """Run the network over whole sequences.

    Args:
        parameters: Name to array, as :func:`~textgenrnn.network.parameters.parameter_shapes`.
        config: Shape of the network.
        token_ids: (B, T) integers in [0, V).
        state: Where to go on, unchanged afterwards; ``None`` starts from zero.

    Returns:
        Logits (B, T, V) of the token after each position, and the state after the last one.
    """
    if state is None:
        state = RecurrentState.zeros(config, token_ids.shape[0])
    hidden, cell = state.hidden.copy(), state.cell.copy()
    embedded = parameters["embedding.weight"][token_ids]  # (B, T, E)
    features = np.empty((*token_ids.shape, config.concat_size), np.float32)  # (B, T, C)
    for t in range(token_ids.shape[1]):
        inputs = embedded[:, t]  # (B, E)
        outputs = [inputs]
        for k in range(config.num_layers):
            gates = (
                inputs @ parameters[f"rnn_{k + 1}.kernel"]
                + hidden[k] @ parameters[f"rnn_{k + 1}.recurrent_kernel"]
                + parameters[f"rnn_{k + 1}.bias"]
            )
            hidden[k], cell[k] = lstm_step(gates, cell[k])
            inputs = hidden[k]
            outputs.append(inputs)
        features[:, t] = np.concatenate(outputs, axis=-1)
    context = state.context
    if config.attention:
        averages, context = _attention(parameters, config, features, context)
        features = np.concatenate([features, averages], axis=-1)  # (B, T, (1 + A) C)
    logits = features @ parameters["output.kernel"] + parameters["output.bias"]
    return logits, RecurrentState(hidden, cell, context)


def _attention(
    parameters: Parameters, config: ModelConfig, features: FloatArray, context: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the heads' causal averages (B, T, A·C) and the context to carry on."""
    span = config.context_length
    known = np.concatenate([context, features], axis=1)  # (B, K + T, C)
    scores = known @ parameters["attention.weight"].T  # (B, K + T, A)
    # Oldest first, as the windows below.
    position = parameters["attention.position"].T[::-1]  # (S, A)
    batch_size, steps, _ = features.shape
    averages = np.empty((batch_size, steps, config.attention_heads, config.concat_size), np.float32)
    for t in range(steps):
        end = context.shape[1] + t + 1
        window = slice(max(0, end - span), end)
        weights = scores[:, window] + position[span - (window.stop - window.start) :]
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        averages[:, t] = np.einsum("bsa,bsc->bac", weights, known[:, window])
    start = max(0, known.shape[1] - (span - 1))
    size = config.attention_heads * config.concat_size
    return averages.reshape(batch_size, steps, size), known[:, start:].copy()
