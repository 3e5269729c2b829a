"""How well a text is learned in a given time, from nothing, with everything planned by itself.

    python benchmarks/learning.py tinyshakespeare.txt --single-text --minutes 3
    python benchmarks/learning.py titles.txt --minutes 1 --seeds 3

The last tenth of a single text (just as nanoGPT splits it), or a tenth of the lines, is held out.
The score is that of the kept model in nats per character, all held-out characters counted, with
fixed weights.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

from common import machine, save, spread

from textgenrnn import textgenrnn


def score(arguments: argparse.Namespace, seed: int) -> tuple[float, float]:
    """Return nats per held-out character and the seconds that the call took."""
    textgen = textgenrnn(pretrained=None)
    text = arguments.file.read_text(encoding="utf-8")
    texts = [text] if arguments.single_text else text.splitlines()
    with contextlib.redirect_stdout(io.StringIO()) if arguments.quiet else contextlib.nullcontext():
        textgen.train_on_texts(
            texts,
            minutes=arguments.minutes,
            single_text=arguments.single_text,
            train_size=0.9,
            seed=seed,
        )
    result = textgen.last_training
    assert result is not None
    assert result.held_out_loss is not None
    return result.held_out_loss, result.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--single-text", action="store_true")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quiet", action="store_true")
    arguments = parser.parse_args()
    description = machine()
    runs = [score(arguments, seed) for seed in range(arguments.seeds)]
    for seed, (loss, seconds) in enumerate(runs):
        print(f"seed {seed}: {loss:.4f} nats per character after {seconds:.1f} s")
    results = {
        "file": arguments.file.name,
        "minutes": arguments.minutes,
        "nats_per_character": spread([loss for loss, _ in runs]),
        "seconds": spread([seconds for _, seconds in runs]),
    }
    save(f"learning_{arguments.file.stem}_{arguments.minutes:g}min", results, description)


if __name__ == "__main__":
    main()
