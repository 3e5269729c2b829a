"""Train a base model on several collections of texts, with checkpoints and resume.

    python tools/pretrain.py --config tools/pretrain_en.json --data FOLDER --output runs/en --minutes 80

The configuration names the files (``NAME.train.txt.xz`` and ``NAME.valid.txt.xz``, one text per line),
the share of the text that each gives, the network's shape and the recipe. Every few minutes the
output folder gets a checkpoint (to resume with the same command) and a line in ``log.jsonl``; at the
end ``model.safetensors``, half precision.

The passes over a file follow from its share: a small file with a large share is read several times.
The schedule follows the clock, so that the run is annealed when the time is over; time that went by
while the process was stopped counts as well.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from textgenrnn.config import ModelConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.storage import save_model
from textgenrnn.tokenizers import META_TOKEN, CharTokenizer, Vocabulary
from textgenrnn.training.batches import Chunk, DocumentLayout
from textgenrnn.training.data import encode_documents
from textgenrnn.training.held_out import held_out_chunks, held_out_loss
from textgenrnn.training.modules import RecurrentNetwork
from textgenrnn.training.recipe import learning_rate_factor, make_optimizer, matrix_arithmetic

UNKNOWN_SHARE = 0.002
ROUND_DOCUMENTS = 60_000


def read_lines(path: Path) -> list[str]:
    """Return the lines of an xz file."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().split("\n")[:-1]


def make_tokenizer(sources: dict[str, list[str]], size: int) -> CharTokenizer:
    """Collect the ``size`` most frequent characters over all sources."""
    counts: Counter[str] = Counter()
    for lines in sources.values():
        counts.update("".join(lines))
    characters = [character for character, _ in counts.most_common(size)]
    known = sum(counts[character] for character in characters)
    print(f"{len(characters)} characters cover {known / counts.total():.4%} of the text")
    return CharTokenizer(Vocabulary([*characters, META_TOKEN]))


class Mixture:
    """Draws rounds of documents: each source gives its share of the characters."""

    def __init__(self, sources: dict[str, list[str]], shares: dict[str, float], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.sources = sources
        mean_length = {name: np.mean([len(line) for line in lines[:5000]]) for name, lines in sources.items()}
        weight = {name: shares[name] / mean_length[name] for name in sources}
        self.counts = {
            name: max(1, round(ROUND_DOCUMENTS * weight[name] / sum(weight.values()))) for name in sources
        }
        self.orders: dict[str, list[int]] = {name: [] for name in sources}

    def round(self) -> list[str]:
        """Return the documents of the next round; a source is read through before it repeats."""
        documents = []
        for name, lines in self.sources.items():
            order = self.orders[name]
            while len(order) < self.counts[name]:
                order[:0] = self.rng.permutation(len(lines)).tolist()
            documents += [lines[order.pop()] for _ in range(self.counts[name])]
        return documents


def update(network: RecurrentNetwork, optimizer: torch.optim.Optimizer, chunk: Chunk, state: Any, rng: np.random.Generator) -> tuple[float, Any]:
    """Make one step; return the loss and the state to carry on."""
    inputs = np.where(rng.random(chunk.inputs.shape, np.float32) < UNKNOWN_SHARE, 0, chunk.inputs)
    if chunk.fresh:
        state = network.initial_state(inputs.shape[1])
    logits, state = network(torch.from_numpy(inputs), state)
    loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(chunk.targets).flatten(), ignore_index=0)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item(), state


def main() -> None:
    """Run or resume the pretraining."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="length of the whole schedule")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    config = json.loads(arguments.config.read_text(encoding="utf-8"))
    arguments.output.mkdir(parents=True, exist_ok=True)
    checkpoint_path = arguments.output / "checkpoint.pt"
    shares = config["shares"]
    excluded = set()
    for name in config.get("exclude", []):
        excluded |= set((arguments.data / name).read_text(encoding="utf-8").splitlines())
    sources = {
        name: [line for line in read_lines(arguments.data / f"{name}.train.txt.xz") if line not in excluded]
        for name in shares
    }
    tokenizer = make_tokenizer(sources, config["characters"])
    model_config = ModelConfig(vocab_size=len(tokenizer.vocabulary) + 1, **config["model"])
    torch.manual_seed(config["seed"])
    network = RecurrentNetwork(
        model_config,
        initial_parameters(model_config, config["seed"]),
        dropout=config["dropout"],
        dtype=matrix_arithmetic("auto", model_config.hidden_size),
    )
    network.train()
    optimizer = make_optimizer(
        network, learning_rate=config["learning_rate"], weight_decay=config["weight_decay"]
    )
    spent_s, seen, updates, rounds = 0.0, 0, 0, 0
    if checkpoint_path.exists():
        checkpoint = torch.load(checkpoint_path, weights_only=True)
        network.load_state_dict(checkpoint["network"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        spent_s, seen, updates, rounds = (checkpoint[k] for k in ("spent_s", "seen", "updates", "rounds"))
        print(f"resuming after {spent_s / 60:.1f} minutes, {seen:,} characters")
    mixture = Mixture(sources, shares, config["seed"] + rounds)
    rng = np.random.default_rng(config["seed"] + rounds)
    scored = {
        path.name: held_out_chunks(
            encode_documents(
                read_lines(path) if path.suffix == ".xz" else path.read_text(encoding="utf-8").splitlines(),
                tokenizer,
                single_text=False,
            ),
            np.zeros(0, np.int32),
        )
        for path in [arguments.data / name for name in config["score"]]
    }
    start = time.monotonic() - spent_s
    total_s = 60 * arguments.minutes
    next_log, running = spent_s + config["log_every_s"], 0.0

    def log() -> None:
        scores = {name: round(held_out_loss(network, chunks)[0], 4) for name, chunks in scored.items()}
        line = {
            "minutes": round((time.monotonic() - start) / 60, 2), "characters": seen, "updates": updates,
            "train_loss": round(running, 4), "nats_per_character": scores,
        }
        print(json.dumps(line), flush=True)
        with (arguments.output / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        spent = time.monotonic() - start
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "spent_s": spent,
                 "seen": seen, "updates": updates, "rounds": rounds}
        torch.save(state, checkpoint_path.with_suffix(".new"))
        checkpoint_path.with_suffix(".new").replace(checkpoint_path)
        record = {"minutes": round(spent / 60, 1), "characters_seen": seen, "nats_per_character": scores}
        model = LanguageModel(model_config, network.export(), tokenizer, record)
        save_model(model, arguments.output / "model.safetensors", half=True)

    state: Any = None
    while time.monotonic() - start < total_s:
        rounds += 1
        text = encode_documents(mixture.round(), tokenizer, single_text=False)
        layout = DocumentLayout(text, tokens_per_chunk=config["tokens_per_chunk"], seq_len=config["seq_len"])
        for chunk in layout.chunks(rng):
            spent_s = time.monotonic() - start
            if spent_s >= total_s:
                break
            rate = config["learning_rate"] * learning_rate_factor(spent_s / total_s)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, state = update(network, optimizer, chunk, state, rng)
            if not math.isfinite(loss):
                raise SystemExit(f"the loss is {loss} after {updates} updates; lower the learning rate")
            updates += 1
            seen += chunk.num_targets
            running += max(0.005, 1 / updates) * (loss - running)
            if spent_s >= next_log:
                next_log = spent_s + config["log_every_s"]
                log()
    log()


if __name__ == "__main__":
    main()
