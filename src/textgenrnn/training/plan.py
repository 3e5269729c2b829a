"""What to train, decided before it starts: size, shape of the chunks, rates, from data and time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from textgenrnn.config import ModelConfig, TrainConfig
from textgenrnn.training.data import EncodedText, is_worth_splitting
from textgenrnn.training.recipe import matrix_arithmetic

__all__ = ["Plan", "plan_size", "plan_training"]

_TOKENS_PER_CHUNK = 1024
_SEQ_LEN_STREAM = 64
_SEQ_LEN_DOCUMENTS = 128
_FEWEST_TOKENS_PER_CHUNK = 16
_FEW_UPDATES = 50
_GOOD_COVERAGE = 0.98
_WANTED_UPDATES = 2000
_PASSES_OF_MINUTES = 16
"""Passes within which a run by time should make the wanted updates."""
_WINDOWS_PER_CHUNK = 128
_PEAK_RATE_OF_WINDOWS = 4e-3
_PEAK_RATE = 1e-2
_PEAK_RATES_OF_TRAINED = (6e-4, 2.5e-3)
"""For text like what the model learned, and for text unlike it."""
_WANTED_UPDATES_OF_TRAINED = 100
_PASSES_OF_TRAINED = (4.0, 8.0)
_FEWEST_TOKENS_OF_TRAINED = 20_000
"""A trained model adapts within so many passes, or 20,000 tokens; then it learns by heart."""
_DROPOUTS_OF_TRAINED = (0.2, 0.3)
_PASSES_WITHOUT_DROPOUT = 2

_SIZES = (
    # tokens of text, minutes, cells: the first row whose limits both hold
    (2_000, math.inf, 128),
    (20_000, math.inf, 256),
    (math.inf, 0.5, 256),
    (math.inf, 4.0, 384),
    (math.inf, math.inf, 512),
)
_ATTENTION_SPAN = 16
_TOKENS_FOR_TWO_HEADS = 300_000

_ASSUMED_TOKENS_PER_S = 40_000
_DROPOUTS = (
    # passes over the text, dropout: the first row whose limit holds
    (3, 0.1),
    (10, 0.2),
    (30, 0.4),
    (math.inf, 0.5),
)
_DROPOUT_OF_FEW = 0.1
"""Of so little text that nothing is held out: it is to be known, not generalised from."""


@dataclass(frozen=True)
class Plan:
    """All choices of a training run.

    Attributes:
        model: The network's configuration.
        num_targets: Tokens to predict in one pass.
        tokens_per_chunk: B × T aimed at; an update sees about as many tokens.
        rows: Rows per chunk if the caller fixed them.
        seq_len: Most steps that gradients flow back.
        learning_rate: Peak rate.
        weight_decay: Of the matrices.
        dropout: Share of the output layer's inputs that are silenced.
        dtype: Number format of the products.
        max_passes: Passes after which a run by time ends early; ``None``: never.
        notes: What the user should know, one sentence each.
    """

    model: ModelConfig
    num_targets: int
    tokens_per_chunk: int
    rows: int | None
    seq_len: int
    learning_rate: float
    weight_decay: float
    dropout: float
    dtype: torch.dtype
    max_passes: float | None = None
    notes: tuple[str, ...] = ()


def plan_size(num_tokens: int, minutes: float) -> dict[str, int | bool]:
    """Choose the network's size for an amount of text and time.

    Args:
        num_tokens: Tokens of the text to learn.
        minutes: Time for training.

    Returns:
        Those fields of :class:`~textgenrnn.config.ModelConfig` that size decides.

    Example:
        >>> plan_size(num_tokens=1_000_000, minutes=3)["hidden_size"]
        384
    """
    cells = (cells for tokens, time, cells in _SIZES if num_tokens <= tokens and minutes <= time)
    return {
        "hidden_size": next(cells),
        "num_layers": 1,
        "embedding_size": 64,
        "attention": True,
        "attention_heads": 2 if num_tokens >= _TOKENS_FOR_TWO_HEADS else 1,
        "context_length": _ATTENTION_SPAN,
    }


def _plan_dropout(text: EncodedText, config: TrainConfig, *, new: bool, distance: float) -> float:
    """Choose the dropout: the more passes, the more it takes not to learn by heart."""
    if not is_worth_splitting(
        text.num_targets if text.single_text else text.num_documents, single_text=text.single_text
    ):
        return _DROPOUT_OF_FEW
    if not new:
        few = config.num_epochs is not None and config.num_epochs <= _PASSES_WITHOUT_DROPOUT
        return 0.0 if few else _between(_DROPOUTS_OF_TRAINED, distance)
    passes: float = config.num_epochs or 0
    if config.minutes is not None:
        passes = 60 * config.minutes * _ASSUMED_TOKENS_PER_S / text.num_targets
    return next(dropout for limit, dropout in _DROPOUTS if passes <= limit)


def plan_training(
    text: EncodedText,
    model: ModelConfig,
    config: TrainConfig,
    *,
    new: bool,
    distance: float = 0.0,
) -> Plan:
    """Settle everything that the configuration left open.

    Args:
        text: What there is to learn.
        model: The network's configuration.
        config: The caller's wishes.
        new: Whether the network starts from nothing; a trained one gets a lower rate.
        distance: How unlike its own text a trained one finds this one, in [0, 1].
    """
    targets = text.num_targets
    seq_len = config.seq_len or (_SEQ_LEN_STREAM if text.single_text else _SEQ_LEN_DOCUMENTS)
    rows = config.batch_size
    windowed = model.form == "windowed"
    max_passes = max(_between(_PASSES_OF_TRAINED, distance), _FEWEST_TOKENS_OF_TRAINED / targets)
    if windowed:
        # The original's recipe: Adam without decay, as many windows as asked for.
        rows, seq_len = rows or _WINDOWS_PER_CHUNK, model.context_length
    if rows is not None:
        tokens = rows * seq_len
    else:
        # Small texts get small chunks: many updates matter more than full matrices.
        tokens = _TOKENS_PER_CHUNK
        passes = config.num_epochs or (_PASSES_OF_MINUTES if new else max_passes)
        wanted = targets * passes / (_WANTED_UPDATES if new else _WANTED_UPDATES_OF_TRAINED)
        while tokens > max(wanted, _FEWEST_TOKENS_PER_CHUNK):
            tokens //= 2
        seq_len = min(seq_len, max(tokens, _SEQ_LEN_STREAM))
    rate = config.learning_rate
    if rate is None and windowed:
        rate = _PEAK_RATE_OF_WINDOWS
    elif rate is None:
        rate = _PEAK_RATE if new else _between(_PEAK_RATES_OF_TRAINED, distance)
    dropout = config.dropout
    if dropout is None:
        dropout = 0.0 if windowed else _plan_dropout(text, config, new=new, distance=distance)
    return Plan(
        model=model,
        num_targets=targets,
        tokens_per_chunk=tokens,
        rows=rows,
        seq_len=seq_len,
        learning_rate=rate,
        weight_decay=0.0 if windowed else config.weight_decay,
        dropout=dropout,
        dtype=matrix_arithmetic(config.precision, model.hidden_size),
        max_passes=None if new or config.minutes is None else max_passes,
        notes=tuple(_notes(text, config, windowed=windowed, seq_len=seq_len)),
    )


def _between(ends: tuple[float, float], share: float) -> float:
    """Return the value at a share of the way from one end to the other, by equal factors."""
    near, far = ends
    return float(near * (far / near) ** share)


def _notes(
    text: EncodedText, config: TrainConfig, *, windowed: bool, seq_len: int
) -> Iterator[str]:
    """Yield what the user should know about the caller's choices and the text."""
    rows, targets = config.batch_size, text.num_targets
    if rows is not None:
        if windowed:
            updates = -(-targets // rows)
        elif text.single_text:
            updates = -(-targets // min(rows * seq_len, targets))
        else:
            updates = -(-text.num_documents // rows)
        if config.num_epochs and updates * config.num_epochs < _FEW_UPDATES:
            yield (
                f"the whole run has only {updates * config.num_epochs} updates; more epochs or a "
                "smaller batch_size learn more (leave batch_size out to have it planned)."
            )
        if targets < rows:
            yield f"the text is smaller than a batch of {rows}; the batch shrinks to fit it."
    if text.coverage < _GOOD_COVERAGE:
        yield (
            f"the model knows only {text.coverage:.1%} of the text's characters; the others are "
            "read as unknown and never written. A new model learns them all."
        )
