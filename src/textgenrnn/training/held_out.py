"""The loss on text that is held out, with the context that the model would have."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
import torch.nn.functional as F

from textgenrnn.tokenizers import PADDING_ID, TokenArray
from textgenrnn.training.batches import Chunk, DocumentLayout, WindowLayout, cut_in_time
from textgenrnn.training.data import EncodedText
from textgenrnn.training.modules import Network

__all__ = ["bits_per_character", "held_out_chunks", "held_out_loss"]

_ROWS = 32
_WARM_UP = 256
_SEQ_LEN = 128
_WINDOWS = 256


def bits_per_character(nats_per_token: float, *, tokens_per_character: float = 1.0) -> float:
    """Convert a loss in nats per token into bits per character."""
    return nats_per_token * tokens_per_character / math.log(2)


def held_out_chunks(
    text: EncodedText, preceding: TokenArray, *, window: int | None = None
) -> list[Chunk]:
    """Lay out held-out text for scoring: each of its tokens is a target exactly once.

    Windows are those of the training, within the held-out text alone. In the recurrent form,
    documents start from zero state. A single text is read in up to 32 rows at once; each row first
    reads ``<s>`` and 256 tokens of what stands before it, which do not count, so that its state is
    warm.

    Args:
        text: The held-out text.
        preceding: (N,) ids of what stood before a single text; its end is used.
        window: Tokens of a window; ``None``: the recurrent form.
    """
    if window is not None:
        return list(
            WindowLayout(text, window=window, rows=_WINDOWS).chunks(np.random.default_rng(0))
        )
    if not text.single_text:
        layout = DocumentLayout(text, tokens_per_chunk=_ROWS * _SEQ_LEN, seq_len=_SEQ_LEN)
        # In a random order, always the same, so that the first chunks stand for all.
        return list(layout.chunks(np.random.default_rng(0)))
    ids = text.token_ids[1:-1]  # without `<s>`
    meta_id = text.token_ids[0]
    rows = max(1, min(_ROWS, len(ids) // _WARM_UP))
    length = -(-len(ids) // rows)
    known = np.concatenate([[meta_id], preceding[-_WARM_UP:], ids]).astype(np.int64)
    warm_up = len(known) - len(ids) - 1
    offsets = np.arange(-warm_up, length)[:, None]  # (T, 1): below 0 is warm-up
    index = 1 + warm_up + length * np.arange(rows) + offsets  # (T, B) of each target
    inside = index < len(known)
    index = np.where(inside, index, 1)
    inputs = np.where(inside, known[index - 1], PADDING_ID)
    inputs[0] = meta_id
    targets = np.where(inside & (offsets >= 0), known[index], PADDING_ID)
    return list(cut_in_time(inputs, targets, _SEQ_LEN))


def held_out_loss(
    network: Network, chunks: list[Chunk], *, seconds: float = math.inf
) -> tuple[float, int]:
    """Score held-out text.

    Args:
        network: What predicts.
        chunks: From :func:`held_out_chunks`.
        seconds: Time for it; the chunks that are left when it is over are not scored.

    Returns:
        The mean loss over the targets of the scored chunks, nats per token, and how many chunks
        these are, at least one.
    """
    deadline = time.perf_counter() + seconds
    was_training = network.training
    network.eval()
    total, count, scored = 0.0, 0, 0
    with torch.no_grad():
        for chunk in chunks:
            if chunk.fresh:
                state = network.initial_state(chunk.inputs.shape[1])
            logits, state = network(torch.from_numpy(chunk.inputs), state)
            targets = torch.from_numpy(chunk.targets).flatten()
            total += F.cross_entropy(
                logits.flatten(0, 1), targets, ignore_index=PADDING_ID, reduction="sum"
            ).item()
            count += chunk.num_targets
            scored += 1
            if count and time.perf_counter() > deadline:
                break
    network.train(was_training)
    return total / count, scored
