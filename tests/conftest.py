"""Small fakes that many tests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from textgenrnn.config import ModelConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters, parameter_shapes
from textgenrnn.tokenizers import META_TOKEN, CharTokenizer

# How long an example takes depends on what else the machine does, so nothing here is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def tiny_model() -> LanguageModel:
    """Two layers of eight cells with random weights, over the characters of four cities."""
    tokenizer = CharTokenizer.from_texts(["Paris", "Oslo", "São Paulo", "北京"])
    config = ModelConfig(
        vocab_size=len(tokenizer.vocabulary) + 1, embedding_size=4, hidden_size=8, num_layers=2
    )
    return LanguageModel(
        config, initial_parameters(config, seed=0), tokenizer, {"documents": 4, "minutes": 0.5}
    )


@pytest.fixture(scope="session")
def make_model() -> Callable[..., LanguageModel]:
    """Return a function that makes a model in which every parameter, biases too, is random."""

    def make(characters: str = "abcdefgh", *, seed: int = 0, **config: Any) -> LanguageModel:
        tokenizer = CharTokenizer.from_texts([characters])
        sizes = {"embedding_size": 3, "hidden_size": 5, "num_layers": 1, **config}
        model_config = ModelConfig(vocab_size=len(tokenizer.vocabulary) + 1, **sizes)
        rng = np.random.default_rng(seed)
        parameters = {
            name: rng.normal(0, 0.5, shape).astype(np.float32)
            for name, shape in parameter_shapes(model_config).items()
        }
        return LanguageModel(model_config, parameters, tokenizer)

    return make


@pytest.fixture(scope="session")
def make_chain() -> Callable[..., LanguageModel]:
    """Return a function that makes a model of hand-written probabilities.

    The probabilities of the next character depend on the last one alone: `chain["a"]["b"]` is
    that of b after a; "<s>" stands for the start and the end, "?" for unknown characters. What is
    not listed has a probability of e^-99.
    """

    def make(chain: Mapping[str, Mapping[str, float]], **config: Any) -> LanguageModel:
        nexts = {token for row in chain.values() for token in row}
        tokenizer = CharTokenizer.from_texts(["".join(sorted((nexts | {*chain}) - {"<s>", "?"}))])
        ids = {"?": 0, **tokenizer.vocabulary.ids}
        assert ids[META_TOKEN] == len(ids) - 1
        sizes = {"embedding_size": len(ids), "hidden_size": 1, "num_layers": 1, **config}
        model_config = ModelConfig(vocab_size=len(ids), **sizes)
        parameters = {
            name: np.zeros(shape, np.float32)
            for name, shape in parameter_shapes(model_config).items()
        }
        # Each token has its own embedding, and its row of the output layer; the cells do nothing.
        parameters["embedding.weight"][:] = np.eye(len(ids))
        parameters["output.kernel"][: len(ids)] = -99
        for last, row in chain.items():
            for token, probability in row.items():
                parameters["output.kernel"][ids[last], ids[token]] = np.log(probability)
        return LanguageModel(model_config, parameters, tokenizer)

    return make
