"""The elementwise half of an LSTM step, as all decoders do it.

sigmoid(x) = (tanh(x / 2) + 1) / 2: with the sigmoid gates' columns halved once, a single tanh
serves all four gates of a layer.
"""

from __future__ import annotations

import numpy as np

from textgenrnn.network.parameters import FloatArray

__all__ = ["advance_cells", "gates_for_tanh"]


def gates_for_tanh(columns: FloatArray) -> FloatArray:
    """Reorder the last axis from gates i, f, c, o to i, f, o, c and halve the sigmoid gates."""
    i, f, c, o = np.split(columns, 4, axis=-1)
    return np.ascontiguousarray(np.concatenate([i * 0.5, f * 0.5, o * 0.5, c], axis=-1))


def advance_cells(
    gates: FloatArray, cells: FloatArray, scratch: FloatArray, outputs: FloatArray
) -> None:
    """Advance LSTM cells by one token, in place.

    Args:
        gates: (…, 4H) pre-activations, ordered and halved by :func:`gates_for_tanh`; overwritten.
        cells: (…, H) cell states, updated.
        scratch: (…, H), overwritten.
        outputs: (…, H), overwritten by the hidden states.
    """
    hidden = cells.shape[-1]
    np.tanh(gates, out=gates)
    sigmoids = gates[..., : 3 * hidden]
    sigmoids *= 0.5
    sigmoids += 0.5
    cells *= gates[..., hidden : 2 * hidden]  # forget
    np.multiply(gates[..., :hidden], gates[..., 3 * hidden :], out=scratch)  # input · new
    cells += scratch
    np.tanh(cells, out=scratch)
    np.multiply(gates[..., 2 * hidden : 3 * hidden], scratch, out=outputs)
