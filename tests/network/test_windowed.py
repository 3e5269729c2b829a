import math
from collections.abc import Callable

import numpy as np
import pytest

from textgenrnn.network.model import LanguageModel
from textgenrnn.network.windowed import forward_windows, pad_windows

MakeModel = Callable[..., LanguageModel]

WINDOWED = {"form": "windowed", "attention": True}
SHAPES = [
    {"num_layers": 1, "context_length": 1},
    {"num_layers": 1, "context_length": 4},
    {"num_layers": 3, "context_length": 6},
    {"num_layers": 1, "context_length": 4, "bidirectional": True},
    {"num_layers": 2, "context_length": 6, "bidirectional": True},
]


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def naive_lstm(values: dict[str, np.ndarray], name: str, inputs: list[np.ndarray]) -> list:
    """The outputs of an LSTM for one window, in 64 bits, token by token."""
    hidden = cell = np.zeros(len(values[f"{name}.recurrent_kernel"]))
    outputs = []
    for x in inputs:
        gates = x @ values[f"{name}.kernel"] + hidden @ values[f"{name}.recurrent_kernel"]
        i, f, c, o = np.split(gates + values[f"{name}.bias"], 4)
        cell = logistic(f) * cell + logistic(i) * np.tanh(c)
        hidden = logistic(o) * np.tanh(cell)
        outputs.append(hidden)
    return outputs


def naive(model: LanguageModel, window: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The logits and the average of one window, by the equations of the module's docstring."""
    values = {name: array.astype(float) for name, array in model.parameters.items()}
    layers = [[values["embedding.weight"][token] for token in window]]
    for k in range(1, model.config.num_layers + 1):
        if model.config.bidirectional:
            forward = naive_lstm(values, f"rnn_{k}.forward", layers[-1])
            backward = naive_lstm(values, f"rnn_{k}.backward", layers[-1][::-1])[::-1]
            layers.append([np.concatenate(pair) for pair in zip(forward, backward, strict=True)])
        else:
            layers.append(naive_lstm(values, f"rnn_{k}", layers[-1]))
    features = [np.concatenate(position) for position in zip(*layers, strict=True)]
    scores = [float(x @ values["attention.weight"][0]) for x in features]
    weights = [math.exp(score - max(scores)) for score in scores]
    average = sum(w * x for w, x in zip(weights, features, strict=True)) / (sum(weights) + 1e-7)
    return average @ values["output.kernel"] + values["output.bias"], average


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_agrees_with_a_naive_loop(make_model: MakeModel, shape: dict) -> None:
    model = make_model(**WINDOWED, **shape)
    windows = np.random.default_rng(1).integers(0, 9, (4, model.config.context_length))
    windows[0] = 0
    windows[1, :-1] = 0
    outputs = forward_windows(model.parameters, model.config, windows)
    assert outputs.logits.dtype == outputs.averages.dtype == np.float32
    for row, window in enumerate(windows.tolist()):
        logits, average = naive(model, window)
        np.testing.assert_allclose(outputs.logits[row], logits, atol=2e-5)
        np.testing.assert_allclose(outputs.averages[row], average, atol=5e-6)


def test_padding_takes_part(make_model: MakeModel) -> None:
    model = make_model(**WINDOWED, context_length=4)
    long = forward_windows(model.parameters, model.config, np.array([[0, 0, 1, 2]]))
    short = forward_windows(model.parameters, model.config, np.array([[1, 2]]))
    assert np.abs(long.logits - short.logits).max() > 1e-3


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_window_knows_nothing_of_the_others(make_model: MakeModel, bidirectional: bool) -> None:
    model = make_model(**WINDOWED, context_length=5, bidirectional=bidirectional)
    windows = np.random.default_rng(2).integers(0, 9, (6, 5))
    together = forward_windows(model.parameters, model.config, windows)
    for row in range(6):
        alone = forward_windows(model.parameters, model.config, windows[row : row + 1])
        np.testing.assert_allclose(alone.logits[0], together.logits[row], atol=1e-5)


def test_only_a_bidirectional_first_layer_sees_what_comes_later(make_model: MakeModel) -> None:
    # What the first of two tokens makes of the second shows in the average, if the attention looks
    # at the first alone.
    for bidirectional in (False, True):
        model = make_model(**WINDOWED, context_length=2, bidirectional=bidirectional)
        parameters = {name: values.copy() for name, values in model.parameters.items()}
        parameters["embedding.weight"][1] = [1, 0, 0]
        parameters["embedding.weight"][2:4, 0] = 0
        parameters["attention.weight"][:] = 0
        parameters["attention.weight"][0, 0] = 100
        first, second = forward_windows(
            parameters, model.config, np.array([[1, 2], [1, 3]])
        ).averages
        assert np.allclose(first, second, atol=1e-6) is not bidirectional


def test_attention_without_preferences_is_the_mean(make_model: MakeModel) -> None:
    model = make_model(**WINDOWED, context_length=3)
    parameters = {name: np.zeros_like(values) for name, values in model.parameters.items()}
    parameters["embedding.weight"][:3] = [[3, 0, 0], [0, 6, 0], [0, 0, 9]]
    outputs = forward_windows(parameters, model.config, np.array([[0, 1, 2], [0, 0, 1]]))
    np.testing.assert_allclose(outputs.averages[:, :3], [[1, 2, 3], [2, 2, 0]], atol=1e-5)
    assert not outputs.averages[:, 3:].any()


def test_attention_survives_huge_scores(make_model: MakeModel) -> None:
    model = make_model(**WINDOWED, context_length=2)
    parameters = {name: np.zeros_like(values) for name, values in model.parameters.items()}
    parameters["embedding.weight"][1:3, 0] = [1, 2]
    parameters["attention.weight"][0, 0] = 1000
    outputs = forward_windows(parameters, model.config, np.array([[2, 1]]))
    np.testing.assert_allclose(outputs.averages[0, 0], 2, atol=1e-5)


def test_windows_end_at_each_token() -> None:
    windows = pad_windows(np.array([5, 6, 7, 8]), 3)
    assert windows.tolist() == [[0, 0, 5], [0, 5, 6], [5, 6, 7], [6, 7, 8]]
    windows[0, 0] = 9  # a copy
    assert pad_windows(np.array([5], np.uint16), 1).tolist() == [[5]]
    assert pad_windows(np.array([], np.int32), 3).shape == (0, 3)
