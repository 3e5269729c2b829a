import numpy as np
import pytest

from textgenrnn.errors import ConfigError
from textgenrnn.training.new_model import make_new_model

SIZE = {"hidden_size": 6, "num_layers": 2, "embedding_size": 5}


def test_the_vocabulary_is_that_of_the_text() -> None:
    model = make_new_model(["北京", "Bonn", "Bern"], single_text=False, size=SIZE)
    assert set(model.tokenizer.vocabulary.tokens) == {*"北京Bonner", "<s>"}
    assert model.config.vocab_size == len(model.tokenizer.vocabulary) + 1
    assert model.config.single_text is False
    assert {name: getattr(model.config, name) for name in SIZE} == SIZE


def test_settings_reach_the_configuration() -> None:
    model = make_new_model(["ab"], single_text=True, size=SIZE, attention=True, context_length=7)
    assert (model.config.single_text, model.config.attention) == (True, True)
    assert model.config.context_length == 7


def test_the_rarest_characters_become_unknown() -> None:
    model = make_new_model(["aaabbc"], single_text=False, size=SIZE, max_tokens=2)
    assert model.tokenizer.vocabulary.tokens == ("a", "b", "<s>")


def test_the_seed_decides_on_the_parameters() -> None:
    kernels = [
        make_new_model(["ab"], single_text=False, size=SIZE, seed=seed).parameters["rnn_1.kernel"]
        for seed in (1, 1, 2, None, None)
    ]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])
    assert not np.array_equal(kernels[3], kernels[4])


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting `layers`"):
        make_new_model(["ab"], single_text=False, size=SIZE, layers=3)
