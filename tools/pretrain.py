"""Train a base model on several collections of texts, with checkpoints and resume.

    python tools/pretrain.py tools/pretrain_en.json --data FOLDER --output runs/en --minutes 80

The configuration names the files (``NAME.train.txt.xz``, one text per line), the share of the
characters that each gives, the network's shape and the recipe, and the files to score. Every few
minutes the output folder gets ``checkpoint.pt`` (the same command resumes from it), a line in
``log.jsonl`` and ``model.safetensors`` in half precision.

A file is read through before any of it comes again (a resumed run begins it anew in another order),
so its passes follow from its share. The schedule follows the clock, so that the rate has come down
when the time is over; time during which the process was stopped counts as well.
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
from textgenrnn.training.modules import make_network
from textgenrnn.training.recipe import learning_rate_factor, make_optimizer, matrix_arithmetic

UNKNOWN_SHARE = 0.002
ROUND_DOCUMENTS = 60_000

Sources = dict[str, list[str]]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, compressed with xz or not."""
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
    return text.rstrip("\n").split("\n")


def read_sources(folder: Path, config: dict[str, Any]) -> Sources:
    """Return the training lines of each source, without those of the files to leave out."""
    left_out: set[str] = set()
    for name in config.get("leave_out", []):
        left_out |= set(read_lines(folder / name))
    return {
        name: [line for line in read_lines(folder / f"{name}.train.txt.xz") if line not in left_out]
        for name in config["shares"]
    }


def make_tokenizer(sources: Sources, size: int) -> CharTokenizer:
    """Collect the ``size`` most frequent characters of all sources."""
    counts: Counter[str] = Counter()
    for lines in sources.values():
        counts.update("".join(lines))
    characters = [character for character, _ in counts.most_common(size)]
    known = sum(counts[character] for character in characters)
    print(
        f"{len(characters)} characters cover {known / counts.total():.4%} of the text", flush=True
    )
    return CharTokenizer(Vocabulary([*characters, META_TOKEN]))


class Mixture:
    """Draws rounds of documents in which each source has its share of the characters."""

    def __init__(self, sources: Sources, shares: dict[str, float], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.sources = sources
        weights = {
            name: shares[name] * len(lines) / sum(map(len, lines))
            for name, lines in sources.items()
        }
        total = sum(weights.values())
        self.counts = {n: max(1, round(ROUND_DOCUMENTS * w / total)) for n, w in weights.items()}
        self.queues: dict[str, list[int]] = {name: [] for name in sources}

    def round(self) -> list[str]:
        """Return the documents of the next round."""
        documents = []
        for name, lines in self.sources.items():
            queue = self.queues[name]
            while len(queue) < self.counts[name]:
                queue[:0] = self.rng.permutation(len(lines)).tolist()
            documents += [lines[queue.pop()] for _ in range(self.counts[name])]
        return documents


class Pretraining:
    """A run: everything that a checkpoint holds, and what it is made from."""

    def __init__(self, config: dict[str, Any], data: Path, output: Path, minutes: float) -> None:
        self.config, self.output, self.total_s = config, output, 60 * minutes
        output.mkdir(parents=True, exist_ok=True)
        sources = read_sources(data, config)
        self.tokenizer = make_tokenizer(sources, config["characters"])
        vocab_size = len(self.tokenizer.vocabulary) + 1
        self.model_config = ModelConfig(vocab_size=vocab_size, **config["model"])
        torch.manual_seed(config["seed"])
        self.network = make_network(
            self.model_config,
            initial_parameters(self.model_config, config["seed"]),
            dropout=config["dropout"],
            dtype=matrix_arithmetic("auto", self.model_config.hidden_size),
        ).train()
        self.optimizer = make_optimizer(
            self.network,
            learning_rate=config["learning_rate"],
            weight_decay=config["weight_decay"],
        )
        self.progress = {"spent_s": 0.0, "seen": 0, "updates": 0, "rounds": 0, "loss": 0.0}
        self.checkpoint = output / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()
        seed = config["seed"] + int(self.progress["rounds"])
        self.mixture = Mixture(sources, config["shares"], seed)
        self.rng = np.random.default_rng(seed)
        self.scored = {
            name: held_out_chunks(
                encode_documents(read_lines(data / name), self.tokenizer, single_text=False),
                np.zeros(0, np.int32),
            )
            for name in config["score"]
        }

    def resume(self) -> None:
        """Go on where the checkpoint stands."""
        saved = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.progress = {name: saved[name] for name in self.progress}
        print(f"resuming after {self.progress['spent_s'] / 60:.1f} minutes", flush=True)

    def run(self) -> None:
        """Train until the time is over, logging now and then and at the end."""
        start = time.monotonic() - self.progress["spent_s"]
        next_log = self.progress["spent_s"] + self.config["log_every_s"]
        state = self.network.initial_state(1)
        while self.progress["spent_s"] < self.total_s:
            self.progress["rounds"] += 1
            text = encode_documents(self.mixture.round(), self.tokenizer, single_text=False)
            layout = DocumentLayout(
                text,
                tokens_per_chunk=self.config["tokens_per_chunk"],
                seq_len=self.config["seq_len"],
            )
            for chunk in layout.chunks(self.rng):
                self.progress["spent_s"] = time.monotonic() - start
                if self.progress["spent_s"] >= self.total_s:
                    break
                if chunk.fresh:
                    state = self.network.initial_state(chunk.inputs.shape[1])
                state = self.update(chunk, state)
                if self.progress["spent_s"] >= next_log:
                    next_log = self.progress["spent_s"] + self.config["log_every_s"]
                    self.log()
        self.log()

    def update(self, chunk: Chunk, state: Any) -> Any:
        """Make one step of the optimiser; return the state to carry on."""
        factor = learning_rate_factor(self.progress["spent_s"] / self.total_s)
        self.optimizer.learning_rate = self.config["learning_rate"] * factor
        unknown = self.rng.random(chunk.inputs.shape, np.float32) < UNKNOWN_SHARE
        inputs = torch.from_numpy(np.where(unknown, 0, chunk.inputs))
        logits, state = self.network(inputs, state)
        targets = torch.from_numpy(chunk.targets).flatten()
        loss = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=0)
        if not math.isfinite(loss.item()):
            raise SystemExit(f"the loss is {loss.item()}; lower the learning rate")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.progress["updates"] += 1
        self.progress["seen"] += chunk.num_targets
        weight = max(0.005, 1 / self.progress["updates"])
        self.progress["loss"] += weight * (loss.item() - self.progress["loss"])
        return state

    def log(self) -> None:
        """Score, write a line of the log, a checkpoint and the model."""
        scores = {
            name: round(held_out_loss(self.network, chunks)[0], 4)
            for name, chunks in self.scored.items()
        }
        record = {
            "minutes": round(self.progress["spent_s"] / 60, 2),
            "characters": self.progress["seen"],
            "updates": self.progress["updates"],
            "train_loss": round(self.progress["loss"], 4),
            "nats_per_character": scores,
        }
        print(json.dumps(record), flush=True)
        with (self.output / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        unfinished = self.checkpoint.with_suffix(".new")
        saved = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**saved, **self.progress}, unfinished)
        unfinished.replace(self.checkpoint)
        model = LanguageModel(self.model_config, self.network.export(), self.tokenizer, record)
        save_model(model, self.output / "model.safetensors", half=True)


def main() -> None:
    """Run or resume a pretraining."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="of the whole schedule")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    config = json.loads(arguments.config.read_text(encoding="utf-8"))
    Pretraining(config, arguments.data, arguments.output, arguments.minutes).run()


if __name__ == "__main__":
    main()
