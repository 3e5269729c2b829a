import numpy as np
import pytest

from textgenrnn.cli.common import DEFAULT_MODEL
from textgenrnn.config import SamplingConfig
from textgenrnn.errors import ConfigError
from textgenrnn.generation import generate, make_decoder
from textgenrnn.network.forward import forward, log_softmax
from textgenrnn.pretrained import BASES, DEFAULT_BASE, base_path, load_base

# Written for this test; the model has not seen them.
SENTENCES = {"en": ["How to learn a new language in three months", "What is your favourite film?"]}


@pytest.mark.parametrize("name", BASES)
def test_a_bundled_model_is_small_and_predicts_its_language(name: str) -> None:
    model = load_base(name)
    assert base_path(name).stat().st_size <= 5_000_000
    for sentence in SENTENCES[name]:
        meta = model.tokenizer.vocabulary.meta_id
        ids = np.concatenate([[meta], model.tokenizer.encode(sentence), [meta]])
        assert ids.all()
        logits, _ = forward(model.parameters, model.config, ids[None, :-1])
        loss = -log_softmax(logits)[0, np.arange(len(ids) - 1), ids[1:]].mean()
        assert loss < 2.0  # nats per character; the same letters at random are above 3


def test_it_writes_different_texts_that_end() -> None:
    sampling = SamplingConfig(temperature=0.7, seed=1)
    results = generate(make_decoder(load_base(DEFAULT_BASE)), 20, sampling=sampling)
    assert len({result.text for result in results}) >= 18
    assert sum(result.finish_reason == "end" for result in results) >= 15


def test_the_command_line_means_the_same_one() -> None:
    # It has the name in a place of its own, so that its help need not import the models.
    assert DEFAULT_MODEL == DEFAULT_BASE


def test_it_is_loaded_once() -> None:
    assert load_base(DEFAULT_BASE) is load_base(DEFAULT_BASE)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^there is no bundled model 'enn' \(did you mean `en`"):
        base_path("enn")
