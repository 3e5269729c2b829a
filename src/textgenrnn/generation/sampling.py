"""From logits to the next token: pure functions over arrays that know no model.

Logits are (B, V) float32, B rows over a vocabulary of V; a filter returns logits in which a
removed token has -inf, and never changes its argument. Every row needs at least one finite value;
the likeliest token survives all filters. Their order is fixed in :func:`filter_logits` and
documented in :class:`~textgenrnn.config.SamplingConfig`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from textgenrnn.config import SamplingConfig
from textgenrnn.network.parameters import FloatArray

__all__ = [
    "apply_temperature",
    "draw",
    "filter_logits",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "penalise_repetition",
    "softmax",
]

_COLDEST = 1e-20
"""Stands for temperature 0: far below any difference of float32 logits, so that nothing but the
likeliest token survives, and far enough above 0 that no quotient overflows."""


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities (B, V) of logits (B, V)."""
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    values /= values.sum(axis=1, keepdims=True)
    return np.asarray(values, np.float32)


def apply_temperature(logits: FloatArray, temperature: float | FloatArray) -> FloatArray:
    """Divide logits by temperatures.

    Args:
        logits: (B, V).
        temperature: One for all rows, or (B, 1). 0 leaves only the likeliest token (or tokens, if
            several are exactly equal).

    Returns:
        (B, V), shifted so that each row's largest value is 0.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    shifted /= np.maximum(np.float32(temperature), _COLDEST)
    return np.asarray(shifted, np.float32)


def penalise_repetition(
    logits: FloatArray, recent: Sequence[npt.NDArray[np.integer]], penalty: float
) -> FloatArray:
    """Make recent tokens less likely: positive logits are divided, negative ones multiplied.

    Args:
        logits: (B, V).
        recent: For each row the ids that count as recent.
        penalty: At least 1; 1 changes nothing.

    Returns:
        (B, V).

    Source:
        Keskar et al. (2019), CTRL, section 4.1, which divides whatever the sign.
    """
    result = logits.copy()
    for row, ids in enumerate(recent):
        values = logits[row, ids]
        result[row, ids] = np.where(values > 0, values / penalty, values * penalty)
    return result


def keep_top_k(logits: FloatArray, k: int) -> FloatArray:
    """Keep each row's k likeliest tokens; tokens equal to the last of them stay too.

    Source:
        Fan et al. (2018), Hierarchical Neural Story Generation.
    """
    if k >= logits.shape[1]:
        return logits
    threshold = np.partition(logits, -k, axis=1)[:, -k, None]
    return np.where(logits < threshold, np.float32(-np.inf), logits)


def keep_top_p(logits: FloatArray, p: float) -> FloatArray:
    """Keep the fewest likeliest tokens whose probabilities sum to p or more; of equals the first.

    Source:
        Holtzman et al. (2020), The Curious Case of Neural Text Degeneration, section 3.1.
    """
    if p >= 1:
        return logits  # whatever the sum is rounded to
    order = np.argsort(-logits, axis=1, kind="stable")
    reached = np.cumsum(softmax(np.take_along_axis(logits, order, axis=1)), axis=1)
    removed = np.zeros(logits.shape, bool)  # the likeliest token stays
    np.put_along_axis(removed, order[:, 1:], reached[:, :-1] >= p, axis=1)
    return np.where(removed, np.float32(-np.inf), logits)


def keep_min_p(logits: FloatArray, min_p: float) -> FloatArray:
    """Keep tokens that are at least ``min_p`` times as likely as the likeliest.

    Source:
        Nguyen et al. (2024), Turning Up the Heat: Min-p Sampling.
    """
    threshold = logits.max(axis=1, keepdims=True) + np.float32(np.log(min_p))
    return np.where(logits < threshold, np.float32(-np.inf), logits)


def filter_logits(
    logits: FloatArray,
    sampling: SamplingConfig,
    temperature: float | FloatArray,
    recent: Sequence[npt.NDArray[np.integer]] = (),
) -> FloatArray:
    """Apply penalty, temperature, top-k, top-p and min-p, in this order.

    Args:
        logits: (B, V), bans already applied.
        sampling: Which filters are on.
        temperature: This position's temperature: one for all rows, or (B, 1).
        recent: For each row its recent ids; read only with a repetition penalty.

    Returns:
        (B, V), shifted so that each row's largest value is 0.
    """
    if sampling.repetition_penalty is not None:
        logits = penalise_repetition(logits, recent, sampling.repetition_penalty)
    logits = apply_temperature(logits, temperature)
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p is not None:
        logits = keep_min_p(logits, sampling.min_p)
    return logits


def draw(logits: FloatArray, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Draw a token per row by inverting the cumulative distribution.

    Args:
        logits: (B, V), the largest value of a row near 0 (as :func:`apply_temperature` leaves it).
        uniforms: (B,) random numbers in [0, 1).

    Returns:
        (B,) token ids; a token of probability 0 is never drawn.
    """
    cumulative = np.cumsum(np.exp(logits), axis=1)
    threshold = uniforms * cumulative[:, -1]  # float64: stays below the total for every u < 1
    tokens: npt.NDArray[np.int64] = (cumulative > threshold[:, None]).argmax(axis=1)
    return tokens
