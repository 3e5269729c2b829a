"""How much of a bare LSTM's speed is left in a whole training step.

One layer of 384 cells, 65 classes, 32 rows × 64 steps. The bare figure is ``torch.nn.LSTM``,
forward and backward, of the same shapes; ours is everything that an update does: embedding, LSTM,
attention, output layer, loss, clipping, AdamW. The two take turns, and the ratio is taken pair by
pair.

    python benchmarks/training_step.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from common import machine, save, spread

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.training.modules import RecurrentNetwork
from textgenrnn.training.recipe import make_optimizer, matrix_arithmetic

ROWS, STEPS, CELLS, EMBEDDING, CLASSES = 32, 64, 384, 64, 65
PAIRS, UPDATES = 15, 8


def bare_step(dtype: torch.dtype) -> Callable[[], None]:
    lstm = torch.nn.LSTM(EMBEDDING, CELLS).to(dtype)
    inputs = torch.randn(STEPS, ROWS, EMBEDDING, dtype=dtype)
    gradient = torch.randn(STEPS, ROWS, CELLS, dtype=dtype)

    def step() -> None:
        lstm.zero_grad(set_to_none=True)
        output, _ = lstm(inputs)
        output.backward(gradient)

    return step


def full_step(dtype: torch.dtype, *, attention: int | None) -> Callable[[], None]:
    config = ModelConfig(
        vocab_size=CLASSES,
        hidden_size=CELLS,
        num_layers=1,
        embedding_size=EMBEDDING,
        attention=attention is not None,
        context_length=attention or 1,
    )
    network = RecurrentNetwork(config, initial_parameters(config, 0), dropout=0.1, dtype=dtype)
    network.train()
    optimizer = make_optimizer(network, learning_rate=1e-3, weight_decay=0.1)
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.integers(1, CLASSES, (STEPS, ROWS)))
    targets = torch.from_numpy(rng.integers(1, CLASSES, (STEPS, ROWS)))
    state = network.initial_state(ROWS)

    def step() -> None:
        logits, _ = network(inputs, state)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
        loss.item()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step


def seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    for _ in range(UPDATES):
        step()
    return (time.perf_counter() - start) / UPDATES


def main() -> None:
    torch.set_flush_denormal(True)
    description = machine()
    automatic = matrix_arithmetic("auto", CELLS)
    cases = {
        "fp32, no attention": (torch.float32, None),
        "fp32, attention over 16": (torch.float32, 16),
        f"auto ({str(automatic).removeprefix('torch.')}), no attention": (automatic, None),
        f"auto ({str(automatic).removeprefix('torch.')}), attention over 16": (automatic, 16),
    }
    bare = bare_step(torch.float32)
    results = {}
    for name, (dtype, attention) in cases.items():
        ours = full_step(dtype, attention=attention)
        seconds(bare), seconds(ours)
        pairs = [(seconds(bare), seconds(ours)) for _ in range(PAIRS)]
        tokens = ROWS * STEPS
        results[name] = {
            "bare_fp32_tokens_per_s": spread([tokens / b for b, _ in pairs]),
            "ours_tokens_per_s": spread([tokens / o for _, o in pairs]),
            "ratio": spread([b / o for b, o in pairs]),
        }
        ratio = results[name]["ratio"]
        print(
            f"{name:<34} {ratio['median']:.2f} of bare fp32 ({ratio['min']:.2f}–{ratio['max']:.2f})"
        )
    save("training_step", results, description)


if __name__ == "__main__":
    main()
