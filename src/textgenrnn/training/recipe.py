"""The recipe: optimiser and schedule. What was tried and measured is in docs/experiments.md."""

from __future__ import annotations

import math

import torch

from textgenrnn.config import Form
from textgenrnn.training.adamw import AdamW
from textgenrnn.training.modules import Network

__all__ = ["learning_rate_factor", "make_optimizer", "matrix_arithmetic"]

_WARM_UP = 0.05
_FINAL_FACTOR = 0.02
_SMALLEST_BF16 = 192
"""Below this many cells the roundings to bfloat16 cost more than the products save."""


def learning_rate_factor(progress: float, form: Form = "recurrent") -> float:
    """Return the share of the peak rate at a point of the run.

    Linear warm-up over the first 5 %, then a cosine down to 2 % (Loshchilov and Hutter, 2017). In
    the windowed form as the original does: falling linearly from the start.

    Args:
        progress: Share of the run that is over, in [0, 1]: by time or by tokens.
        form: Form of the model.

    Example:
        >>> learning_rate_factor(0.05)
        1.0
        >>> learning_rate_factor(0.25, "windowed")
        0.75
    """
    if form == "windowed":
        return max(_FINAL_FACTOR, 1.0 - progress)
    if progress < _WARM_UP:
        # Never 0, so that the very first update of a short run counts.
        return max(progress / _WARM_UP, 0.02)
    rest = min(1.0, (progress - _WARM_UP) / (1.0 - _WARM_UP))
    return _FINAL_FACTOR + (1.0 - _FINAL_FACTOR) * 0.5 * (1.0 + math.cos(math.pi * rest))


def make_optimizer(network: Network, *, learning_rate: float, weight_decay: float) -> AdamW:
    """Return AdamW with decay on the matrices alone: not on embeddings, biases and attention."""
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in network.named_parameters():
        (decayed if name.endswith("kernel") else plain).append(parameter)
    return AdamW(decayed, plain, learning_rate=learning_rate, weight_decay=weight_decay)


def matrix_arithmetic(precision: str, hidden_size: int) -> torch.dtype:
    """Return the number format for the network's products.

    Args:
        precision: ``fp32``, ``bf16``, or ``auto``: bf16 where this processor multiplies it faster.
        hidden_size: Cells per layer.
    """
    if precision == "bf16":
        return torch.bfloat16
    if precision == "auto" and hidden_size >= _SMALLEST_BF16:
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"):
            return torch.bfloat16
    return torch.float32
