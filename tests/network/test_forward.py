import math
from collections.abc import Callable

import numpy as np
import pytest

from textgenrnn.network.forward import RecurrentState, forward, log_softmax, lstm_step, sigmoid
from textgenrnn.network.model import LanguageModel

MakeModel = Callable[..., LanguageModel]

SHAPES = [
    {"num_layers": 1},
    {"num_layers": 2},
    {"num_layers": 1, "attention": True, "context_length": 3},
    {"num_layers": 3, "attention": True, "context_length": 1},
    {"num_layers": 2, "attention": True, "attention_heads": 3, "context_length": 3},
]


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def naive_logits(model: LanguageModel, token_ids: list[int]) -> np.ndarray:
    """The equations of the module's docstring, one row, one number at a time, in 64 bits."""
    values = {name: array.astype(float) for name, array in model.parameters.items()}
    H, L = model.config.hidden_size, model.config.num_layers
    hidden = [[0.0] * H for _ in range(L)]
    cell = [[0.0] * H for _ in range(L)]
    positions: list[list[float]] = []
    logits = []
    for token in token_ids:
        inputs = list(values["embedding.weight"][token])
        position = list(inputs)
        for k in range(L):
            kernel = values[f"rnn_{k + 1}.kernel"]
            recurrent = values[f"rnn_{k + 1}.recurrent_kernel"]
            gates = [
                values[f"rnn_{k + 1}.bias"][j]
                + sum(x * kernel[i, j] for i, x in enumerate(inputs))
                + sum(h * recurrent[i, j] for i, h in enumerate(hidden[k]))
                for j in range(4 * H)
            ]
            for unit in range(H):
                i, f, c, o = (gates[gate * H + unit] for gate in range(4))
                cell[k][unit] = logistic(f) * cell[k][unit] + logistic(i) * math.tanh(c)
                hidden[k][unit] = logistic(o) * math.tanh(cell[k][unit])
            inputs = hidden[k]
            position += inputs
        positions.append(position)
        features = list(position)
        if model.config.attention:
            window = positions[-model.config.context_length :]
            for head in range(model.config.attention_heads):
                content, place = (
                    values["attention.weight"][head],
                    values["attention.position"][head],
                )
                weights = [
                    math.exp(np.dot(content, x) + place[len(window) - 1 - i])
                    for i, x in enumerate(window)
                ]
                features += [
                    sum(w * x[i] for w, x in zip(weights, window, strict=True)) / sum(weights)
                    for i in range(len(position))
                ]
        logits.append(np.array(features) @ values["output.kernel"] + values["output.bias"])
    return np.array(logits)


def test_sigmoid_is_the_logistic_function_and_never_overflows() -> None:
    x = np.array([-1e30, -3.0, 0.0, 0.7, 1e30], np.float32)
    expected = [0.0, logistic(-3), 0.5, logistic(0.7), 1.0]
    np.testing.assert_allclose(sigmoid(x), expected, atol=1e-7)
    assert sigmoid(x).dtype == np.float32


def test_lstm_step_by_hand() -> None:
    # One cell: gates in the order input, forget, candidate, output.
    gates = np.array([[1.0, -2.0, 0.5, 3.0]], np.float32)
    hidden, cell = lstm_step(gates, np.array([[0.25]], np.float32))
    expected_cell = logistic(-2) * 0.25 + logistic(1) * math.tanh(0.5)
    assert cell.item() == pytest.approx(expected_cell, abs=1e-6)
    assert hidden.item() == pytest.approx(logistic(3) * math.tanh(expected_cell), abs=1e-6)


def test_lstm_step_keeps_the_cells_of_a_layer_apart() -> None:
    # Two cells, two rows. Gates that are open or shut: +-50 gives 1 or 0.
    i, f, c, o = [50, -50], [-50, 50], [0.3, 0.3], [50, 50]
    gates = np.array([i + f + c + o, i + f + c + [-50, -50]], np.float32)
    hidden, cell = lstm_step(gates, np.array([[5.0, 6.0], [7.0, 8.0]], np.float32))
    np.testing.assert_allclose(cell, [[math.tanh(0.3), 6], [math.tanh(0.3), 8]], rtol=1e-6)
    np.testing.assert_allclose(hidden, [np.tanh(cell[0]), [0, 0]], atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_agrees_with_a_naive_loop(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**shape)
    token_ids = np.random.default_rng(1).integers(0, model.config.vocab_size, (3, 7))
    logits, _ = forward(model.parameters, model.config, token_ids)
    assert logits.dtype == np.float32
    assert logits.shape == (3, 7, model.config.vocab_size)
    for row in range(3):
        expected = naive_logits(model, token_ids[row].tolist())
        np.testing.assert_allclose(logits[row], expected, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cuts", [(1,), (4,), (2, 2), (1, 2, 3, 4, 5, 6, 7, 8)], ids=str)
def test_state_carried_in_parts_equals_one_go(
    make_model: MakeModel, shape: dict, cuts: tuple[int, ...]
) -> None:
    model = make_model(**shape)
    token_ids = np.random.default_rng(2).integers(0, model.config.vocab_size, (2, 9))
    expected, final = forward(model.parameters, model.config, token_ids)
    state, parts = None, []
    for part in np.split(token_ids, cuts, axis=1):  # (2, 2) has a part of no tokens
        logits, state = forward(model.parameters, model.config, part, state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-5)
    assert state is not None
    for name in ("hidden", "cell", "context"):
        np.testing.assert_allclose(getattr(state, name), getattr(final, name), atol=1e-5)


def test_forward_leaves_the_given_state_as_it_was(make_model: MakeModel) -> None:
    model = make_model(attention=True, context_length=4)
    token_ids = np.array([[1, 2, 3]])
    _, state = forward(model.parameters, model.config, token_ids)
    before = [values.copy() for values in (state.hidden, state.cell, state.context)]
    first, _ = forward(model.parameters, model.config, token_ids, state)
    again, _ = forward(model.parameters, model.config, token_ids, state)
    assert np.array_equal(first, again)
    for values, kept in zip((state.hidden, state.cell, state.context), before, strict=True):
        assert np.array_equal(values, kept)


@pytest.mark.parametrize("span", [1, 2, 5])
def test_context_holds_no_more_than_the_attention_can_still_see(
    make_model: MakeModel, span: int
) -> None:
    model = make_model(attention=True, context_length=span)
    state, kept = None, []
    for token in (1, 2, 3, 4, 5, 6):
        _, state = forward(model.parameters, model.config, np.array([[token]]), state)
        kept.append(state.context.shape)
    size = model.config.concat_size
    assert kept == [(1, min(seen, span - 1), size) for seen in range(1, 7)]


def test_attention_without_preferences_is_the_mean_of_the_span(make_model: MakeModel) -> None:
    model = make_model(attention=True, context_length=3, hidden_size=1)
    parameters = {name: np.zeros_like(values) for name, values in model.parameters.items()}
    parameters["embedding.weight"][:4] = [[0, 0, 1], [3, 0, 0], [0, 6, 0], [9, 0, 0]]
    # The averages' three embedding columns become the first three logits.
    parameters["output.kernel"][model.config.concat_size :][:3, :3] = np.eye(3)
    logits, _ = forward(parameters, model.config, np.array([[1, 2, 3, 0]]))
    expected = [[3, 0, 0], [1.5, 3, 0], [4, 2, 0], [3, 2, 1 / 3]]
    np.testing.assert_allclose(logits[0, :, :3], expected, atol=1e-6)
    assert not logits[0, :, 3:].any()


def test_attention_prefers_high_scores_and_survives_huge_ones(make_model: MakeModel) -> None:
    model = make_model(attention=True, context_length=3, hidden_size=1)
    parameters = {name: np.zeros_like(values) for name, values in model.parameters.items()}
    parameters["embedding.weight"][1:3, 0] = [1, 2]
    parameters["attention.weight"][0, 0] = 1000  # scores 1000 and 2000: the second takes all
    parameters["output.kernel"][model.config.concat_size, 0] = 1
    logits, _ = forward(parameters, model.config, np.array([[1, 2, 1]]))
    np.testing.assert_allclose(logits[0, :, 0], [1, 2, 2], atol=1e-6)


def test_attention_prefers_distances(make_model: MakeModel) -> None:
    model = make_model(attention=True, attention_heads=2, context_length=3, hidden_size=1)
    parameters = {name: np.zeros_like(values) for name, values in model.parameters.items()}
    parameters["embedding.weight"][1:4, 0] = [1, 2, 3]
    parameters["attention.position"][0, 2] = 100  # two tokens back, as soon as there is one
    parameters["attention.position"][1, 1] = 100  # one token back
    size = model.config.concat_size
    parameters["output.kernel"][size, 0] = 1
    parameters["output.kernel"][2 * size, 1] = 1
    logits, _ = forward(parameters, model.config, np.array([[1, 2, 3, 1]]))
    np.testing.assert_allclose(logits[0, :, 0], [1, 1.5, 1, 2], atol=1e-6)
    np.testing.assert_allclose(logits[0, :, 1], [1, 1, 2, 3], atol=1e-6)


def test_the_first_state_is_zero(make_model: MakeModel) -> None:
    config = make_model(num_layers=2, attention=True).config
    state = RecurrentState.zeros(config, 3)
    assert state.hidden.shape == state.cell.shape == (2, 3, config.hidden_size)
    assert state.context.shape == (3, 0, config.concat_size)
    assert not state.hidden.any()
    assert not state.cell.any()


def test_log_softmax_by_hand() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]], np.float32))
    expected = np.log([[1 / 8, 2 / 8, 5 / 8], [1 / 4, 1 / 4, 1 / 2]])
    np.testing.assert_allclose(log_softmax(logits), expected, atol=1e-6)
    np.testing.assert_allclose(log_softmax(logits + 7), expected, atol=1e-6)


def test_log_softmax_of_extreme_logits() -> None:
    result = log_softmax(np.array([[1e38, 0.0, -1e38], [-np.inf, 0.0, 0.0]], np.float32))
    assert result[0, 0] == 0
    assert result[1, 0] == -np.inf
    np.testing.assert_allclose(result[1, 1:], -math.log(2), rtol=1e-6)
