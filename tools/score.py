"""Score a model on files with one text per line: nats and bits per character.

    python tools/score.py src/textgenrnn/pretrained/en.safetensors FILE [FILE ...]

Each text is read from zero state; its closing ``<s>`` counts, unknown characters do not. Files may
be compressed with xz.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from pretrain import read_lines

from textgenrnn.storage import load_model
from textgenrnn.training.data import encode_documents
from textgenrnn.training.held_out import held_out_chunks, held_out_loss
from textgenrnn.training.modules import make_network


def main() -> None:
    """Print a line per file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    network = make_network(model.config, model.parameters, dropout=0.0, dtype=torch.float32)
    for path in arguments.files:
        text = encode_documents(read_lines(path), model.tokenizer, single_text=False)
        chunks = held_out_chunks(text, np.zeros(0, np.int32))
        nats, _ = held_out_loss(network, chunks)
        targets = sum(chunk.num_targets for chunk in chunks)
        print(
            f"{path.name:<44} {nats:.4f} nats  {nats / math.log(2):.4f} bits  "
            f"{targets:>9,} targets  {text.coverage:.3%} known"
        )


if __name__ == "__main__":
    main()
