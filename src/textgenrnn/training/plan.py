"""What to train, decided before it starts: size, shape of the chunks, rates, from data and time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from textgenrnn.config import ModelConfig, TrainConfig
from textgenrnn.training.data import EncodedText, is_worth_splitting
from textgenrnn.training.recipe import matrix_arithmetic

__all__ = ["Plan", "plan_size", "plan_training"]

_TOKENS_PER_CHUNK = 1024
_SEQ_LEN_STREAM = 64
_SEQ_LEN_DOCUMENTS = 128
_FEW_UPDATES = 50
_WANTED_UPDATES = 400

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
        dropout: Share of the output layer's inputs that are silenced.
        dtype: Number format of the products.
        notes: What the user should know, one sentence each.
    """

    model: ModelConfig
    num_targets: int
    tokens_per_chunk: int
    rows: int | None
    seq_len: int
    learning_rate: float
    dropout: float
    dtype: torch.dtype
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


def _plan_dropout(text: EncodedText, config: TrainConfig) -> float:
    """Choose the dropout: the more passes, the more it takes not to learn by heart."""
    if not is_worth_splitting(
        text.num_targets if text.single_text else text.num_documents, single_text=text.single_text
    ):
        return _DROPOUT_OF_FEW
    passes: float = config.num_epochs or 0
    if config.minutes is not None:
        passes = 60 * config.minutes * _ASSUMED_TOKENS_PER_S / text.num_targets
    return next(dropout for limit, dropout in _DROPOUTS if passes <= limit)


def plan_training(text: EncodedText, model: ModelConfig, config: TrainConfig, *, new: bool) -> Plan:
    """Settle everything that the configuration left open.

    Args:
        text: What there is to learn.
        model: The network's configuration.
        config: The caller's wishes.
        new: Whether the network starts from nothing; a trained one gets a lower rate.
    """
    notes = []
    targets = text.num_targets
    seq_len = config.seq_len or (_SEQ_LEN_STREAM if text.single_text else _SEQ_LEN_DOCUMENTS)
    rows = config.batch_size
    if rows is not None:
        tokens = rows * seq_len
    else:
        # Small texts get small chunks: many updates matter more than full matrices.
        tokens = _TOKENS_PER_CHUNK
        passes = config.num_epochs or 16
        wanted = _WANTED_UPDATES if config.num_epochs else passes
        while tokens > 64 and targets * passes < tokens * wanted:
            tokens //= 2
        seq_len = min(seq_len, tokens)
    if config.num_epochs and rows is not None:
        # Documents fill rows one by one, a single text all at once.
        per_pass = -(-text.num_documents // rows)
        if text.single_text:
            per_pass = -(-targets // max(1, min(tokens, targets)))
        if per_pass * config.num_epochs < _FEW_UPDATES:
            notes.append(
                f"the whole run has only {per_pass * config.num_epochs} updates; more epochs or a "
                "smaller batch_size learn more (leave batch_size out to have it planned)."
            )
    if targets < (rows or 1):
        notes.append(f"the text is smaller than a batch of {rows}; the batch shrinks to fit it.")
    if text.coverage < 0.98:
        notes.append(
            f"the model knows only {text.coverage:.1%} of the text's characters; the others are "
            "read as unknown and never written. A new model learns them all."
        )
    # The rate is for chunks of 1,024 tokens; noisier gradients of smaller chunks want less.
    rate = config.learning_rate
    if rate is None:
        rate = (1e-2 if new else 2.5e-3) * min(1.0, (tokens / _TOKENS_PER_CHUNK) ** 0.5)
    return Plan(
        model=model,
        num_targets=targets,
        tokens_per_chunk=tokens,
        rows=rows,
        seq_len=seq_len,
        learning_rate=rate,
        dropout=_plan_dropout(text, config) if config.dropout is None else config.dropout,
        dtype=matrix_arithmetic(config.precision, model.hidden_size),
        notes=tuple(notes),
    )
