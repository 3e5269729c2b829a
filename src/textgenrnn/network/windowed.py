"""The windowed form in plain NumPy: the reference that every faster path must agree with.

This is the original's network. It sees the last T = ``context_length`` tokens, left-padded with
id 0, and every window starts from zero state; padding is a token like any other. With e_t the
embedding of position t, and the cells of :mod:`textgenrnn.network.forward`::

    x_t = [e_t, h_1,t … h_L,t]                                         ``rnn_concat``
    s_t = v · x_t
    a   = sum_t x_t exp(s_t - max s) / (sum_t exp(s_t - max s) + 1e-7)   ``attention``
    P(next token) = softmax(a · K + b)                                 ``output``

A bidirectional layer puts the outputs of two LSTMs side by side, the second of which reads the
window from its end.

Letters: N windows, T tokens a window, V vocabulary, E embedding, H hidden, L layers, C = E + L·H or
E + 2·L·H the length of ``rnn_concat``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.network.forward import lstm_step
from textgenrnn.network.parameters import FloatArray, Parameters, lstm_names

__all__ = ["ATTENTION_EPSILON", "WindowOutputs", "forward_windows", "pad_windows"]

ATTENTION_EPSILON = 1e-7
"""What the original adds to the sum of the attention weights."""


@dataclass(frozen=True, eq=False)
class WindowOutputs:
    """What the network makes of N windows.

    Attributes:
        logits: (N, V) of the token after each window; their softmax are the probabilities.
        averages: (N, C) attention-weighted averages, which stand for the windows' texts.
    """

    logits: FloatArray
    averages: FloatArray


def forward_windows(
    parameters: Parameters, config: ModelConfig, windows: npt.NDArray[np.integer]
) -> WindowOutputs:
    """Run the network over whole windows.

    Args:
        parameters: Name to array, as :func:`~textgenrnn.network.parameters.parameter_shapes`.
        config: Shape of the network, of the windowed form.
        windows: (N, T) ids in [0, V), left-padded with 0 (see :func:`pad_windows`); any T.
    """
    outputs = [parameters["embedding.weight"][windows]]  # (N, T, E)
    for layer in range(1, config.num_layers + 1):
        inputs = outputs[-1]
        first, *second = lstm_names(config, layer)
        directions = [_read(parameters, first, inputs)]
        directions += [_read(parameters, lstm, inputs[:, ::-1])[:, ::-1] for lstm in second]
        outputs.append(np.concatenate(directions, axis=-1))  # (N, T, H or 2H)
    features = np.concatenate(outputs, axis=-1)  # (N, T, C)
    scores = features @ parameters["attention.weight"][0]  # (N, T)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True) + np.float32(ATTENTION_EPSILON)
    averages = np.matmul(weights[:, None], features)[:, 0]  # (N, C)
    logits = averages @ parameters["output.kernel"] + parameters["output.bias"]
    return WindowOutputs(logits, averages)


def pad_windows(token_ids: npt.NDArray[np.integer], context_length: int) -> npt.NDArray[np.int32]:
    """Return the window that ends at each token of a text.

    Args:
        token_ids: (N,) ids, from the first that a window may see.
        context_length: T.

    Returns:
        (N, T), left-padded with 0.

    Example:
        >>> pad_windows(np.array([5, 6, 7]), 2).tolist()
        [[0, 5], [5, 6], [6, 7]]
    """
    padded = np.concatenate([np.zeros(context_length, np.int32), token_ids.astype(np.int32)])
    return np.lib.stride_tricks.sliding_window_view(padded, context_length)[1:].copy()


def _read(parameters: Parameters, lstm: str, inputs: FloatArray) -> FloatArray:
    """Return the outputs (N, T, H) of one LSTM that reads (N, T, inputs) from zero state."""
    kernel, recurrent = parameters[f"{lstm}.kernel"], parameters[f"{lstm}.recurrent_kernel"]
    gates = inputs @ kernel + parameters[f"{lstm}.bias"]  # (N, T, 4H)
    hidden = cell = np.zeros((len(inputs), len(recurrent)), np.float32)
    outputs = np.empty((*inputs.shape[:2], len(recurrent)), np.float32)
    for t in range(inputs.shape[1]):
        hidden, cell = lstm_step(gates[:, t] + hidden @ recurrent, cell)
        outputs[:, t] = hidden
    return outputs
