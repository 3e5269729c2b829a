"""Small fakes that many tests share."""

from __future__ import annotations

import pytest

from textgenrnn.config import ModelConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.tokenizers import CharTokenizer


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
