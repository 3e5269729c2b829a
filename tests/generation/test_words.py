"""Generation from models whose tokens are words, between which there are spaces."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from textgenrnn.config import ModelConfig, SamplingConfig
from textgenrnn.generation import generate, make_decoder, stream
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import parameter_shapes
from textgenrnn.tokenizers import META_TOKEN, Vocabulary, WordTokenizer

CHAIN = {
    "<s>": "so",
    "so": ",",
    ",": "it",
    "it": "is",
    "is": "(",
    "(": "not",
    "not": ")",
    ")": "<s>",
}


def make_word_chain(nexts: Mapping[str, str]) -> LanguageModel:
    """A model in which each word is followed by one other."""
    words = [word for word in nexts if word != META_TOKEN]
    tokenizer = WordTokenizer(Vocabulary([*words, META_TOKEN]))
    size = len(words) + 2
    config = ModelConfig(
        vocab_size=size, embedding_size=size, hidden_size=1, num_layers=1, level="word"
    )
    parameters = {n: np.zeros(s, np.float32) for n, s in parameter_shapes(config).items()}
    parameters["embedding.weight"][:] = np.eye(size)
    ids = tokenizer.vocabulary.ids
    for word, following in nexts.items():
        parameters["output.kernel"][ids[word], ids[following]] = 99
    return LanguageModel(config, parameters, tokenizer)


def text_of(prefix: str = "", **sampling: Any) -> str:
    decoder = make_decoder(make_word_chain(CHAIN))
    config = SamplingConfig(**{"temperature": 0, "max_tokens": 20, **sampling})
    (result,) = generate(decoder, prefix=prefix, sampling=config)
    assert "".join(stream(decoder, prefix=prefix, sampling=config)) == result.text
    return result.text


def test_words_are_spaced() -> None:
    assert text_of() == "so, it is (not)"


@pytest.mark.parametrize(
    ("prefix", "text"),
    [("So", "So, it is (not)"), ("SO, ", "SO, it is (not)"), ("so, it is (", "so, it is (not)")],
)
def test_a_prefix_stays_as_it_is(prefix: str, text: str) -> None:
    assert text_of(prefix) == text


def test_tokens_are_counted_as_words() -> None:
    assert text_of(max_tokens=3) == "so, it"
    assert text_of("so ,", max_tokens=3) == "so , it"


@pytest.mark.parametrize(
    ("stop", "text"), [("it is", "so, "), (", it", "so"), (" (n", "so, it is"), ("soit", None)]
)
def test_stop_strings_see_the_spaces(stop: str, text: str | None) -> None:
    assert text_of(stop=stop) == (text or "so, it is (not)")


def test_stop_strings_may_begin_in_the_prefix() -> None:
    assert text_of("so", stop="so, it") == "so"


def test_banned_strings_see_the_spaces() -> None:
    assert "so," not in text_of(banned="so,", seed=0)
    assert text_of(banned=["so ,", "is not"]) == "so, it is (not)"
    assert "it is" not in text_of(banned="it is", seed=0)
    assert "(not" not in text_of(banned="(not", seed=0)
