"""A training step of the windowed form, on the shapes for which the original's time is known.

The original (Keras, TensorFlow 2.10, 2 cores): 95 ms a step for 2 × 128 cells, 128 windows of 40,
465 classes, embedding 100; about 35 ms for 2 × 64 cells in both directions, 4 windows, embedding
300. These two were taken on another machine: compare them with care.

    python benchmarks/windowed_training.py
"""

from __future__ import annotations

import time

import numpy as np
import torch
import torch.nn.functional as F
from common import machine, save, spread

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.training.modules import make_network
from textgenrnn.training.recipe import make_optimizer, matrix_arithmetic

STEPS = 40
CASES = {
    "2 × 128, batch 128": (
        128,
        ModelConfig(
            vocab_size=465,
            hidden_size=128,
            num_layers=2,
            embedding_size=100,
            attention=True,
            context_length=40,
            form="windowed",
        ),
        95.0,
    ),
    "bidirectional 2 × 64, batch 4": (
        4,
        ModelConfig(
            vocab_size=80,
            hidden_size=64,
            num_layers=2,
            embedding_size=300,
            attention=True,
            context_length=40,
            form="windowed",
            bidirectional=True,
        ),
        35.0,
    ),
}


def step_times_ms(config: ModelConfig, batch_size: int) -> list[float]:
    network = make_network(
        config,
        initial_parameters(config, 0),
        dropout=0.0,
        dtype=matrix_arithmetic("auto", config.hidden_size),
    ).train()
    optimizer = make_optimizer(network, learning_rate=1e-3, weight_decay=0.0)
    rng = np.random.default_rng(0)
    windows = torch.from_numpy(rng.integers(1, config.vocab_size, (40, batch_size)))
    targets = torch.from_numpy(rng.integers(1, config.vocab_size, batch_size))
    state = network.initial_state(batch_size)
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        logits, _ = network(windows, state)
        loss = F.cross_entropy(logits[0], targets)
        loss.item()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        times.append(1000 * (time.perf_counter() - start))
    return times[5:]


def main() -> None:
    torch.set_flush_denormal(True)
    description = machine()
    results = {}
    for name, (batch_size, config, original_ms) in CASES.items():
        times = spread(step_times_ms(config, batch_size))
        results[name] = {"step_ms": times, "original_ms": original_ms}
        print(
            f"{name:<32} {times['median']:.1f} ms a step ({times['min']:.1f}–{times['max']:.1f}), "
            f"original {original_ms:.0f} ms: {original_ms / times['median']:.1f} times as fast"
        )
    save("windowed_training", results, description)


if __name__ == "__main__":
    main()
