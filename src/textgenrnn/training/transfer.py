"""How far a text is from what a model learned: it decides how a trained model goes on."""

from __future__ import annotations

import numpy as np

from textgenrnn.network.forward import forward, log_softmax
from textgenrnn.network.model import LanguageModel
from textgenrnn.training.batches import make_layout
from textgenrnn.training.data import EncodedText

__all__ = ["distance_from_learned"]

_SAMPLED_TOKENS = 4096
_SEQ_LEN = 64
_FAR_NATS = 0.7
"""A text that costs so much more per token than the model's own is as far as it gets."""


def distance_from_learned(model: LanguageModel, text: EncodedText) -> float:
    """Return how unlike its own text a model finds another one, from 0 (like it) to 1.

    Args:
        model: A trained model of the recurrent form.
        text: What it is to learn; a sample of about 4,096 tokens is read.
    """
    learned = _learned_loss(model)
    if learned is None:
        return 0.5
    layout = make_layout(text, tokens_per_chunk=_SAMPLED_TOKENS, seq_len=_SEQ_LEN)
    chunk = next(layout.chunks(np.random.default_rng(0)))
    logits, _ = forward(model.parameters, model.config, chunk.inputs.T)
    targets = chunk.targets.T  # (B, T)
    losses = -np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    counted = losses[targets != 0]
    if not len(counted):
        return 1.0
    return float(np.clip((counted.mean() - learned) / _FAR_NATS, 0.0, 1.0))


def _learned_loss(model: LanguageModel) -> float | None:
    """Return the nats per token of a model on text like its own, if its record says."""
    scores = model.training.get("nats_per_character")  # of a bundled model, by file
    if isinstance(scores, dict) and scores:
        return sum(scores.values()) / len(scores)
    learned = model.training.get("train_loss")
    return learned if isinstance(learned, (int, float)) else None
