"""Characters a second when generating with the windowed form, in the original's default size.

Two layers of 128 cells, embeddings of 100, a window of 40 and 465 classes; and a bidirectional
model of the size that the published tutorial trains. The weights are random: the speed does not
depend on them. Texts run to their full length of 300 characters.

The original generates 12.8 characters/s with these weights on 2 cores, one text at a time: it runs
the whole window through Keras for every character.

    python benchmarks/windowed_speed.py
"""

from __future__ import annotations

import time

from common import machine, save, spread

from textgenrnn.config import ModelConfig, SamplingConfig
from textgenrnn.generation import AnyDecoder, generate, make_decoder
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.tokenizers import META_TOKEN, CharTokenizer, Vocabulary

CHARACTERS, REPEATS = 300, 7
BATCHES = {1: 2, 8: 8, 64: 64}  # texts at once: texts in all
SIZES = {
    "2 × 128, 465 classes": {"vocab_size": 465, "hidden_size": 128, "embedding_size": 100},
    "bidirectional 2 × 64, 80 classes": {
        "vocab_size": 80,
        "hidden_size": 64,
        "embedding_size": 300,
        "bidirectional": True,
    },
}


def make(size: dict[str, int]) -> AnyDecoder:
    config = ModelConfig.from_dict(
        {"form": "windowed", "attention": True, "num_layers": 2, "context_length": 40, **size}
    )
    characters = map(chr, range(0x4E00, 0x4E00 + config.vocab_size - 2))
    tokenizer = CharTokenizer(Vocabulary([*characters, META_TOKEN]))
    return make_decoder(LanguageModel(config, initial_parameters(config, 0), tokenizer))


def characters_per_s(decoder: AnyDecoder, batch_size: int, texts: int) -> float:
    sampling = SamplingConfig(temperature=1.0, min_tokens=CHARACTERS, max_tokens=CHARACTERS)
    start = time.perf_counter()
    results = generate(decoder, texts, sampling=sampling, batch_size=batch_size)
    seconds = time.perf_counter() - start
    return sum(len(result.text) for result in results) / seconds


def main() -> None:
    description = machine()
    results = {}
    for size, values in SIZES.items():
        decoder = make(values)
        for batch_size, texts in BATCHES.items():
            characters_per_s(decoder, batch_size, texts)
            rates = [characters_per_s(decoder, batch_size, texts) for _ in range(REPEATS)]
            rate = results[f"{size}, batch {batch_size}"] = spread(rates)
            print(
                f"{size:<33} batch {batch_size:<3} {rate['median']:>7,.0f} chars/s "
                f"({rate['min']:,.0f}–{rate['max']:,.0f})"
            )
    save("windowed_speed", results, description)


if __name__ == "__main__":
    main()
