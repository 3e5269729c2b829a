from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from textgenrnn.generation import Decoder, DecoderState, decoder
from textgenrnn.network.forward import forward
from textgenrnn.network.model import LanguageModel

MakeModel = Callable[..., LanguageModel]

# A span of 3 is shorter than the texts below, so that the attention's ring is used again.
SHAPES = [
    {"num_layers": 1},
    {"num_layers": 2},
    {"num_layers": 1, "attention": True, "context_length": 3},
    {"num_layers": 3, "attention": True, "context_length": 40},
    {"num_layers": 2, "attention": True, "context_length": 1},
    {"num_layers": 2, "attention": True, "attention_heads": 3, "context_length": 3},
]


@pytest.fixture(params=["folded", "unfolded"])
def tables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test twice: the embedding folded into tables, and fetched at every step."""
    if request.param == "unfolded":
        monkeypatch.setattr(decoder, "_FOLDED_BYTES", 0)


def random_ids(model: LanguageModel, *shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, model.config.vocab_size, shape)


def read(made: Decoder, state: DecoderState, token_ids: np.ndarray) -> np.ndarray:
    """Logits (B, T, V) after each token of (B, T)."""
    steps = [made.step(state, token_ids[:, t]).copy() for t in range(token_ids.shape[1])]
    return np.stack(steps, axis=1)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_steps_agree_with_the_reference(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = random_ids(model, 4, 12)
    made = Decoder(model)
    logits = read(made, made.initial_state(4), token_ids)
    expected, _ = forward(model.parameters, model.config, token_ids)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=2e-5)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("characters", ["", "a"], ids=["V=2", "V=3"])
@pytest.mark.parametrize("attention", [False, True])
def test_steps_agree_with_the_reference_for_the_smallest_vocabularies(
    make_model: MakeModel, characters: str, attention: bool
) -> None:
    model = make_model(characters, attention=attention, embedding_size=1, hidden_size=1)
    token_ids = random_ids(model, 2, 5)
    made = Decoder(model)
    expected, _ = forward(model.parameters, model.config, token_ids)
    logits = read(made, made.initial_state(2), token_ids)
    np.testing.assert_allclose(logits, expected, atol=2e-5)


def test_both_ways_of_embedding_are_tested(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(embedding_size=3)
    assert Decoder(model).initial_state(1).embedding_columns == 0
    monkeypatch.setattr(decoder, "_FOLDED_BYTES", 0)
    assert Decoder(model).initial_state(1).embedding_columns == 3


@pytest.mark.parametrize("large", ["gates", "classes"])
def test_only_small_tables_are_folded(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, large: str
) -> None:
    # V rows of float32 by 4H gates in the one table, by V classes in the other.
    model = make_model("abcdefgh", hidden_size=5 if large == "gates" else 1)
    columns = 20 if large == "gates" else 10
    assert model.config.vocab_size == 10
    size = 10 * columns * 4
    monkeypatch.setattr(decoder, "_FOLDED_BYTES", size)
    assert Decoder(model).initial_state(1).embedding_columns == 0
    monkeypatch.setattr(decoder, "_FOLDED_BYTES", size - 1)
    assert Decoder(model).initial_state(1).embedding_columns > 0


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_of_a_batch_equal_single_rows(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = random_ids(model, 5, 8)
    made = Decoder(model)
    together = read(made, made.initial_state(5), token_ids)
    alone = [read(made, made.initial_state(1), token_ids[row : row + 1]) for row in range(5)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_beyond_those_given_stand_still(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = random_ids(model, 3, 10)
    made = Decoder(model)
    state = made.initial_state(3)
    read(made, state, token_ids[:, :4])
    read(made, state, token_ids[:1, 4:6])  # only the first row reads on
    logits = read(made, state, np.concatenate([token_ids[:1, 6:], token_ids[1:, 4:8]]))
    expected, _ = forward(model.parameters, model.config, token_ids)
    np.testing.assert_allclose(logits[0], expected[0, 6:], atol=2e-5)
    np.testing.assert_allclose(logits[1:], expected[1:, 4:8], atol=2e-5)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_assigned_row_goes_on_where_the_other_stands(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    first, second = random_ids(model, 2, 9)
    made = Decoder(model)
    source, state = made.initial_state(1), made.initial_state(2)
    read(made, source, first[None, :5])
    read(made, state, np.stack([second, second])[:, :2])
    state.assign_row(1, source, 0)
    read(made, source, first[None, :3])  # what happens to the source later does not matter
    logits = read(made, state, np.stack([second[2:6], first[5:]]))
    for row, expected_ids in enumerate((second[:6], first)):
        expected, _ = forward(model.parameters, model.config, expected_ids[None])
        np.testing.assert_allclose(logits[row], expected[0, -4:], atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_row_can_be_assigned_within_a_state(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = random_ids(model, 2, 6)
    made = Decoder(model)
    state = made.initial_state(2)
    read(made, state, token_ids[:, :3])
    state.assign_row(0, state, 1)
    logits = read(made, state, np.stack([token_ids[1, 3:]] * 2))
    expected, _ = forward(model.parameters, model.config, token_ids[1:])
    np.testing.assert_allclose(logits, np.repeat(expected[:, 3:], 2, axis=0), atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_used_row_starts_again_from_a_fresh_one(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = random_ids(model, 1, 6)
    made = Decoder(model)
    state = made.initial_state(1)
    before = read(made, state, token_ids)
    state.assign_row(0, made.initial_state(1), 0)
    assert np.array_equal(read(made, state, token_ids), before)


@pytest.mark.parametrize("attention", [False, True])
def test_the_caller_may_change_the_logits(make_model: MakeModel, attention: bool) -> None:
    model = make_model(attention=attention)
    token_ids = random_ids(model, 2, 6)
    made = Decoder(model)
    expected = read(made, made.initial_state(2), token_ids)
    state = made.initial_state(2)
    for t in range(6):
        logits = made.step(state, token_ids[:, t])
        assert np.array_equal(logits, expected[:, t])
        logits[:] = -np.inf


@pytest.mark.parametrize("integer", [np.int32, np.int64, np.uint16])
def test_any_integers_are_token_ids(make_model: MakeModel, integer: type) -> None:
    model = make_model()
    token_ids = random_ids(model, 2, 4)
    made = Decoder(model)
    expected = read(made, made.initial_state(2), token_ids)
    assert np.array_equal(read(made, made.initial_state(2), token_ids.astype(integer)), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_threads_share_a_decoder(make_model: MakeModel, shape: dict) -> None:
    model = make_model(hidden_size=32, **shape)
    made = Decoder(model)
    texts = random_ids(model, 8, 1, 60)
    expected = [read(made, made.initial_state(1), ids) for ids in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda ids: read(made, made.initial_state(1), ids), texts))
    assert np.array_equal(found, expected)


@pytest.mark.usefixtures("tables")
def test_a_decoder_leaves_the_model_as_it_was(make_model: MakeModel) -> None:
    model = make_model(num_layers=2, attention=True)
    before = {name: values.copy() for name, values in model.parameters.items()}
    made = Decoder(model)
    read(made, made.initial_state(2), random_ids(model, 2, 5))
    for name, values in before.items():
        assert np.array_equal(model.parameters[name], values)
