from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from textgenrnn.config import ModelConfig, SamplingConfig
from textgenrnn.errors import ModelFileError, NotTrainedError
from textgenrnn.generation import (
    AnyDecoder,
    Decoder,
    bidirectional,
    generate,
    make_decoder,
    stream,
    windowed,
)
from textgenrnn.generation.batch import Batch, Request
from textgenrnn.generation.bidirectional import BidirectionalDecoder
from textgenrnn.generation.windowed import WindowedDecoder
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import parameter_shapes
from textgenrnn.network.windowed import forward_windows, pad_windows
from textgenrnn.tokenizers import CharTokenizer, Vocabulary

MakeModel = Callable[..., LanguageModel]

WINDOWED = {"form": "windowed", "attention": True}
# The texts below are longer than every window, so that places of windows are used again.
SHAPES = [
    {"num_layers": 1, "context_length": 1},
    {"num_layers": 1, "context_length": 2},
    {"num_layers": 3, "context_length": 5},
    {"num_layers": 1, "context_length": 1, "bidirectional": True},
    {"num_layers": 2, "context_length": 5, "bidirectional": True},
]


@pytest.fixture(params=["one chunk", "a row at a time"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test twice: all rows at once, and one by one, the first layer not looked up."""
    if request.param == "a row at a time":
        for module in (windowed, bidirectional):
            monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
            monkeypatch.setattr(module, "_FOLDED_BYTES", 0)


def random_ids(model: LanguageModel, *shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, model.config.vocab_size, shape)


def read(made: AnyDecoder, state: Any, token_ids: np.ndarray) -> np.ndarray:
    """Logits (B, T, V) after each token of (B, T)."""
    steps = [made.step(state, token_ids[:, t]).copy() for t in range(token_ids.shape[1])]
    return np.stack(steps, axis=1)


def reference(model: LanguageModel, token_ids: np.ndarray) -> np.ndarray:
    """Logits (B, T, V) after each token of (B, T)."""
    config = model.config
    windows = [pad_windows(row, config.context_length) for row in token_ids]
    return np.stack([forward_windows(model.parameters, config, w).logits for w in windows])


def test_the_form_decides_which_decoder_it_is(make_model: MakeModel) -> None:
    assert isinstance(make_decoder(make_model()), Decoder)
    assert isinstance(make_decoder(make_model(**WINDOWED)), WindowedDecoder)
    both_ways = make_decoder(make_model(**WINDOWED, bidirectional=True))
    assert isinstance(both_ways, BidirectionalDecoder)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_steps_agree_with_the_reference(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    token_ids = random_ids(model, 4, 12)
    made = make_decoder(model)
    state: Any = made.initial_state(4)
    logits = read(made, state, token_ids)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, reference(model, token_ids), atol=2e-5)
    last = token_ids[:, -model.config.context_length :]
    averages = forward_windows(model.parameters, model.config, last).averages
    np.testing.assert_allclose(state.averages, averages, atol=1e-5)


@pytest.mark.parametrize("both_ways", [False, True])
def test_steps_agree_where_scores_are_huge(make_model: MakeModel, both_ways: bool) -> None:
    model = make_model(**WINDOWED, context_length=6, bidirectional=both_ways)
    parameters = {name: values.copy() for name, values in model.parameters.items()}
    parameters["attention.weight"] *= 300
    model = LanguageModel(model.config, parameters, model.tokenizer)
    token_ids = random_ids(model, 3, 20)
    made = make_decoder(model)
    logits = read(made, made.initial_state(3), token_ids)
    np.testing.assert_allclose(logits, reference(model, token_ids), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reading_equals_stepping(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    made = make_decoder(model)
    for length in (1, 2, 4, 5, 6, 11):
        ids = random_ids(model, 1, length + 6)
        state, logits = made.read(ids[0, :length].tolist())
        expected = reference(model, ids)[0]
        np.testing.assert_allclose(logits, expected[length - 1], atol=2e-5)
        on = read(made, state, ids[:, length:])[0]
        np.testing.assert_allclose(on, expected[length:], atol=2e-5)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_beyond_those_given_stand_still(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    token_ids = random_ids(model, 3, 10)
    made = make_decoder(model)
    state = made.initial_state(3)
    read(made, state, token_ids[:, :4])
    read(made, state, token_ids[:1, 4:6])  # only the first row reads on
    logits = read(made, state, np.concatenate([token_ids[:1, 6:], token_ids[1:, 4:8]]))
    expected = reference(model, token_ids)
    np.testing.assert_allclose(logits[0], expected[0, 6:], atol=2e-5)
    np.testing.assert_allclose(logits[1:], expected[1:, 4:8], atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_assigned_row_goes_on_where_the_other_stands(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    first, second = random_ids(model, 2, 9)
    made = make_decoder(model)
    source, state = made.initial_state(1), made.initial_state(2)
    read(made, source, first[None, :5])
    read(made, state, np.stack([second, second])[:, :2])
    state.assign_row(1, source, 0)
    read(made, source, first[None, :3])  # what happens to the source later does not matter
    logits = read(made, state, np.stack([second[2:6], first[5:]]))
    for row, ids in enumerate((second[:6], first)):
        np.testing.assert_allclose(logits[row], reference(model, ids[None])[0, -4:], atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_used_row_starts_again_from_a_fresh_one(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    token_ids = random_ids(model, 1, 7)
    made = make_decoder(model)
    state = made.initial_state(1)
    before = read(made, state, token_ids)
    state.assign_row(0, made.initial_state(1), 0)
    assert np.array_equal(read(made, state, token_ids), before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_caller_may_change_the_logits(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    token_ids = random_ids(model, 2, 6)
    made = make_decoder(model)
    expected = read(made, made.initial_state(2), token_ids)
    state = made.initial_state(2)
    for t in range(6):
        logits = made.step(state, token_ids[:, t])
        assert np.array_equal(logits, expected[:, t])
        logits[:] = -np.inf


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_threads_share_a_decoder(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape, hidden_size=24)
    made = make_decoder(model)
    texts = random_ids(model, 8, 1, 30)
    expected = [read(made, made.initial_state(1), ids) for ids in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda ids: read(made, made.initial_state(1), ids), texts))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_decoder_leaves_the_model_as_it_was(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    before = {name: values.copy() for name, values in model.parameters.items()}
    made = make_decoder(model)
    read(made, made.initial_state(2), random_ids(model, 2, 5))
    for name, values in before.items():
        assert np.array_equal(model.parameters[name], values)


@pytest.mark.parametrize("both_ways", [False, True])
def test_texts_do_not_depend_on_the_batch(make_model: MakeModel, both_ways: bool) -> None:
    model = make_model(**WINDOWED, context_length=5, bidirectional=both_ways)
    made = make_decoder(model)
    sampling = SamplingConfig(temperature=0.9, max_tokens=30, seed=4)
    expected = [result.text for result in generate(made, 12, sampling=sampling, batch_size=1)]
    for batch_size in (3, 12):
        results = generate(made, 12, sampling=sampling, batch_size=batch_size)
        assert [result.text for result in results] == expected
    assert len({len(text) for text in expected}) > 3
    assert "".join(stream(made, sampling=sampling)) == expected[0]


def single_text(tokens: list[str], **weights: np.ndarray) -> LanguageModel:
    """A windowed model of one long text, all weights 0 but those given."""
    config = ModelConfig(
        vocab_size=len(tokens) + 1, embedding_size=len(tokens) + 1, hidden_size=1, num_layers=1,
        context_length=3, single_text=True, form="windowed", attention=True,
    )  # fmt: skip
    parameters = {n: np.zeros(s, np.float32) for n, s in parameter_shapes(config).items()}
    for name, values in weights.items():
        parameters[name.replace("__", ".")][:] = values
    return LanguageModel(config, parameters, CharTokenizer(Vocabulary(tokens)))


def test_a_single_text_starts_from_padding_and_never_ends(make_model: MakeModel) -> None:
    # As the original's, its vocabulary has no `<s>`.
    rng = np.random.default_rng(0)
    weights = {
        "embedding__weight": rng.normal(0, 1, (4, 4)),
        "output__kernel": rng.normal(0, 1, (5, 4)),
    }
    model = single_text(["a", "b", "c"], **weights)
    assert model.start_id == 0
    batch = Batch(make_decoder(model), SamplingConfig(max_tokens=40), batch_size=1, entropy=0)
    outputs = forward_windows(model.parameters, model.config, np.array([[0, 0, 0]]))
    np.testing.assert_allclose(batch._start_logits, outputs.logits[0], atol=1e-6)
    batch.add(Request(0))
    while not (finished := batch.step()):
        pass
    result = finished[0][1]
    assert (len(result.text), result.finish_reason) == (40, "length")
    # So it does where there is an `<s>`, which then never appears.
    with_meta = make_model("abc", **WINDOWED, single_text=True)
    assert with_meta.start_id == 0
    assert make_model("abc", **WINDOWED).start_id == 4


def test_the_prefix_follows_the_padding() -> None:
    model = single_text(["a", "b"], embedding__weight=np.eye(3), output__kernel=np.eye(4, 3))
    decoder = make_decoder(model)
    _, logits = decoder.read([decoder.start_id, 1])
    np.testing.assert_allclose(logits, [2 / 3, 1 / 3, 0], atol=1e-6)
    results = generate(decoder, 2, prefix="ba", sampling=SamplingConfig(max_tokens=9))
    assert all(result.text.startswith("ba") and len(result.text) == 9 for result in results)


def test_one_character_without_a_start_token_is_enough() -> None:
    (result,) = generate(make_decoder(single_text(["a"])), sampling=SamplingConfig(max_tokens=5))
    assert result.text == "aaaaa"
    with pytest.raises(NotTrainedError):
        generate(make_decoder(single_text(["<s>"])))


def test_predictions_that_are_no_numbers_are_an_error_without_a_start_token() -> None:
    huge = np.float32(3e38)
    model = single_text(["a", "b"], embedding__weight=huge, output__kernel=huge)
    with np.errstate(all="ignore"), pytest.raises(ModelFileError, match="are not numbers"):
        generate(make_decoder(model), sampling=SamplingConfig(max_tokens=3))


def test_banned_strings_may_leave_nothing_without_a_start_token() -> None:
    sampling = SamplingConfig(max_tokens=5, banned=["a"])
    (result,) = generate(make_decoder(single_text(["a"])), prefix="a", sampling=sampling)
    assert (result.text, result.finish_reason) == ("a", "banned")
