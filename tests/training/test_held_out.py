import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.network.forward import forward, log_softmax
from textgenrnn.network.model import LanguageModel
from textgenrnn.tokenizers import PADDING_ID, CharTokenizer
from textgenrnn.training import held_out
from textgenrnn.training.data import EncodedText, encode_documents
from textgenrnn.training.held_out import bits_per_character, held_out_chunks, held_out_loss
from textgenrnn.training.modules import RecurrentNetwork

MakeModel = Callable[..., LanguageModel]


def encoded(model: LanguageModel, documents: list[str], *, single_text: bool) -> EncodedText:
    return encode_documents(documents, model.tokenizer, single_text=single_text)


def numpy_losses(model: LanguageModel, ids: list[int]) -> np.ndarray:
    """The loss of each token after the first, read from zero state."""
    logits, _ = forward(model.parameters, model.config, np.array([ids[:-1]]))
    return -log_softmax(logits)[0, np.arange(len(ids) - 1), ids[1:]]


def random_text(length: int, characters: str = "abcdefgh", seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list(characters), length))


@given(
    st.lists(st.text("ab?", min_size=1, max_size=300), min_size=1, max_size=50),
    st.integers(0, 300),
    st.booleans(),
)
def test_each_token_is_scored_once(documents: list[str], before: int, single_text: bool) -> None:
    tokenizer = CharTokenizer.from_texts(["ab"])
    documents = documents[:1] if single_text else documents
    text = encode_documents(documents, tokenizer, single_text=single_text)
    preceding = tokenizer.encode("ab" * before)
    chunks = held_out_chunks(text, preceding)
    assert all((c.inputs[0] == tokenizer.vocabulary.meta_id).all() for c in chunks if c.fresh)
    targets = np.concatenate([chunk.targets.ravel() for chunk in chunks])
    ids = text.token_ids[1 : len(text.token_ids) - single_text]
    assert Counter(targets[targets > 0].tolist()) == Counter(ids[ids > 0].tolist())


@pytest.mark.parametrize("attention", [False, True])
def test_documents_are_scored_from_zero_state(make_model: MakeModel, attention: bool) -> None:
    model = make_model(attention=attention, context_length=7)
    documents = [random_text(length, seed=length) for length in (1, 5, 130, 270, 4)]
    text = encoded(model, documents, single_text=False)
    expected = np.concatenate(
        [
            numpy_losses(model, text.token_ids[start : end + 1].tolist())
            for start, end in zip(text.starts[:-1], text.starts[1:], strict=True)
        ]
    )
    network = RecurrentNetwork(model.config, model.parameters)
    chunks = held_out_chunks(text, np.zeros(0, np.int32))
    loss, scored = held_out_loss(network, chunks)
    assert loss == pytest.approx(expected.mean(), abs=1e-4)
    assert scored == len(chunks)


@pytest.mark.parametrize(("length", "before"), [(40, 5), (400, 300), (511, 1000), (1700, 700)])
def test_a_single_text_is_scored_with_what_stands_before_it(
    make_model: MakeModel, length: int, before: int
) -> None:
    model = make_model(attention=True, context_length=5)
    whole = random_text(before + length)
    text = encoded(model, [whole[before:]], single_text=True)
    preceding = model.tokenizer.encode(whole[:before])
    ids = model.tokenizer.encode(whole).tolist()
    meta = model.tokenizer.vocabulary.meta_id
    # Each of the parallel rows reads `<s>` and 256 tokens, then its part of the text.
    rows = max(1, length // 256)
    part = -(-length // rows)
    warm_up = min(256, before)
    expected = []
    for start in range(before, before + length, part):
        context = ids[start - warm_up : start]
        losses = numpy_losses(model, [meta, *context, *ids[start : start + part]])
        expected += losses[warm_up:].tolist()
    assert len(expected) == length
    chunks = held_out_chunks(text, preceding)
    assert chunks[0].inputs[0].tolist() == [meta] * rows
    assert sum(chunk.num_targets for chunk in chunks) == length
    network = RecurrentNetwork(model.config, model.parameters)
    assert held_out_loss(network, chunks)[0] == pytest.approx(np.mean(expected), abs=1e-4)


def test_unknown_characters_do_not_count(make_model: MakeModel) -> None:
    model = make_model()
    text = encoded(model, ["ab?", "?"], single_text=False)
    losses = np.concatenate(
        [numpy_losses(model, text.token_ids[:5].tolist()), numpy_losses(model, [9, 0, 9])]
    )
    counted = losses[text.token_ids[1:] != PADDING_ID]
    network = RecurrentNetwork(model.config, model.parameters)
    loss, _ = held_out_loss(network, held_out_chunks(text, np.zeros(0, np.int32)))
    assert len(counted) == 4
    assert loss == pytest.approx(counted.mean(), abs=1e-4)


def test_dropout_is_off_and_training_goes_on_as_before(make_model: MakeModel) -> None:
    model = make_model()
    chunks = held_out_chunks(
        encoded(model, [random_text(50)], single_text=False), np.zeros(0, np.int32)
    )
    network = RecurrentNetwork(model.config, model.parameters, dropout=0.9)
    for training in (True, False):
        network.train(training)
        losses = {held_out_loss(network, chunks)[0] for _ in range(3)}
        assert len(losses) == 1
        assert network.training is training


def test_when_time_is_over_the_rest_is_not_scored(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        now = 0.0

        def perf_counter(self) -> float:
            self.now += 1.0
            return self.now

    monkeypatch.setattr(held_out, "time", Clock())
    model = make_model()
    text = encoded(model, [random_text(2000)], single_text=False)
    chunks = held_out_chunks(text, np.zeros(0, np.int32))
    network = RecurrentNetwork(model.config, model.parameters)
    assert len(chunks) == 16
    loss, scored = held_out_loss(network, chunks, seconds=4.5)
    assert scored == 5
    assert loss == held_out_loss(network, chunks[:5])[0]
    assert held_out_loss(network, chunks, seconds=0.0)[1] == 1


def test_bits_are_nats_over_ln_2() -> None:
    assert bits_per_character(math.log(2)) == pytest.approx(1.0)
    assert bits_per_character(1.0, tokens_per_character=0.5) == pytest.approx(0.5 / math.log(2))
