"""Characters a second when generating: one layer of 384 cells, 65 classes, 300 characters a text.

The weights are random: the speed does not depend on them. Texts run to their full length; with 192
texts in a batch of 64, rows are filled again as texts end.

    python benchmarks/generation_speed.py
"""

from __future__ import annotations

import time

from common import machine, save, spread

from textgenrnn.config import ModelConfig, SamplingConfig
from textgenrnn.generation import Decoder, generate
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.tokenizers import META_TOKEN, CharTokenizer, Vocabulary

CELLS, CHARACTERS, REPEATS = 384, 300, 9
BATCHES = {1: 4, 8: 32, 64: 192}  # texts at once: texts in all


def make_decoder(*, attention: int | None) -> Decoder:
    tokenizer = CharTokenizer(Vocabulary([*map(chr, range(0x4E00, 0x4E00 + 63)), META_TOKEN]))
    config = ModelConfig(
        vocab_size=65,
        hidden_size=CELLS,
        num_layers=1,
        embedding_size=64,
        attention=attention is not None,
        context_length=attention or 1,
    )
    return Decoder(LanguageModel(config, initial_parameters(config, 0), tokenizer))


def characters_per_s(decoder: Decoder, batch_size: int, texts: int) -> float:
    sampling = SamplingConfig(temperature=1.0, min_tokens=CHARACTERS, max_tokens=CHARACTERS)
    start = time.perf_counter()
    results = generate(decoder, texts, sampling=sampling, batch_size=batch_size)
    seconds = time.perf_counter() - start
    return sum(len(result.text) for result in results) / seconds


def main() -> None:
    description = machine()
    results = {}
    for attention in (None, 16):
        decoder = make_decoder(attention=attention)
        for batch_size, texts in BATCHES.items():
            characters_per_s(decoder, batch_size, texts)
            rates = [characters_per_s(decoder, batch_size, texts) for _ in range(REPEATS)]
            name = f"{'attention over 16' if attention else 'no attention'}, batch {batch_size}"
            results[name] = spread(rates)
            rate = results[name]
            print(
                f"{name:<30} {rate['median']:>9,.0f} characters/s "
                f"({rate['min']:,.0f}–{rate['max']:,.0f})"
            )
    save("generation_speed", results, description)


if __name__ == "__main__":
    main()
