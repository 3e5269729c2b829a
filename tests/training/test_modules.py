from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textgenrnn.network.forward import forward
from textgenrnn.network.model import LanguageModel
from textgenrnn.training.modules import RecurrentNetwork

MakeModel = Callable[..., LanguageModel]
SHAPES = [
    {"num_layers": 1},
    {"num_layers": 3, "hidden_size": 6},
    {"num_layers": 1, "attention": True, "context_length": 1},
    {"num_layers": 2, "attention": True, "context_length": 4},
    {"num_layers": 1, "attention": True, "context_length": 4, "attention_heads": 3},
    {"num_layers": 1, "attention": True, "context_length": 100},
]


def read(network: RecurrentNetwork, ids: np.ndarray, cuts: list[int]) -> np.ndarray:
    """Logits (B, T, V) of ids (B, T), read in pieces with the state carried on."""
    state = network.initial_state(len(ids))
    pieces = []
    with torch.no_grad():
        for part in np.split(ids, cuts, axis=1):
            logits, state = network(torch.from_numpy(part.T.copy()), state)
            pieces.append(logits.numpy())
    return np.concatenate(pieces).transpose(1, 0, 2)


def random_ids(model: LanguageModel, rows: int, steps: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, model.config.vocab_size, (rows, steps))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_are_those_of_the_numpy_forward(
    make_model: MakeModel, shape: dict[str, int]
) -> None:
    model = make_model(**shape)
    ids = random_ids(model, 3, 23)
    expected, _ = forward(model.parameters, model.config, ids)
    network = RecurrentNetwork(model.config, model.parameters).eval()
    np.testing.assert_allclose(read(network, ids, []), expected, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@settings(max_examples=10)
@given(cuts=st.lists(st.integers(1, 22), unique=True).map(sorted))
def test_reading_in_pieces_changes_nothing(
    make_model: MakeModel, shape: dict[str, int], cuts: list[int]
) -> None:
    model = make_model(**shape)
    ids = random_ids(model, 2, 23)
    network = RecurrentNetwork(model.config, model.parameters).eval()
    np.testing.assert_allclose(read(network, ids, cuts), read(network, ids, []), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_token_by_token_equals_all_at_once(make_model: MakeModel, shape: dict[str, int]) -> None:
    model = make_model(**shape)
    ids = random_ids(model, 2, 23)
    network = RecurrentNetwork(model.config, model.parameters).eval()
    stepwise = read(network, ids, list(range(1, 23)))
    np.testing.assert_allclose(stepwise, read(network, ids, []), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_export_gives_the_parameters_back(
    make_model: MakeModel, shape: dict[str, int], dtype: torch.dtype
) -> None:
    model = make_model(**shape)
    network = RecurrentNetwork(model.config, model.parameters, dtype=dtype)
    exported = network.export()
    assert list(exported) == list(model.parameters)
    for name, values in exported.items():
        np.testing.assert_array_equal(values, model.parameters[name], err_msg=name)
        assert values.flags.c_contiguous
        assert values.dtype == np.float32
    # A copy: training goes on in the network.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(exported["output.bias"], model.parameters["output.bias"])


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_bfloat16_comes_close(make_model: MakeModel, shape: dict[str, int]) -> None:
    model = make_model(**shape)
    ids = random_ids(model, 3, 23)
    expected = read(RecurrentNetwork(model.config, model.parameters).eval(), ids, [])
    rounded = RecurrentNetwork(model.config, model.parameters, dtype=torch.bfloat16).eval()
    logits = read(rounded, ids, [])
    assert logits.dtype == np.float32
    assert not np.array_equal(logits, expected)
    assert np.abs(logits - expected).max() < 0.03 * np.abs(expected).max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_parameter_gets_a_gradient(make_model: MakeModel, shape: dict[str, int]) -> None:
    model = make_model(**shape)
    network = RecurrentNetwork(model.config, model.parameters, dropout=0.2).train()
    ids = torch.from_numpy(random_ids(model, 3, 23).T.copy())
    logits, state = network(ids, network.initial_state(3))
    logits.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # Where only one position is in view, its weight is 1 whatever the scores.
        if not (name.startswith("weights.attention") and shape["context_length"] == 1):
            assert parameter.grad.abs().sum() > 0, name
    # The state carries no graph from chunk to chunk.
    assert not any(tensor.requires_grad for layer in state.layers for tensor in layer)
    assert state.context is None or not state.context.requires_grad


def test_dropout_silences_while_training_only(make_model: MakeModel) -> None:
    model = make_model(hidden_size=50)
    network = RecurrentNetwork(model.config, model.parameters, dropout=0.5)
    ids = random_ids(model, 40, 5)
    network.eval()
    plain = read(network, ids, [])
    np.testing.assert_array_equal(read(network, ids, []), plain)
    network.train()
    torch.manual_seed(0)
    noisy = [read(network, ids, []) for _ in range(200)]
    assert not np.array_equal(noisy[0], noisy[1])
    # What is left is scaled up, so that the mean stays.
    bias = model.parameters["output.bias"]
    assert np.abs(np.mean(noisy, axis=0) - plain).mean() < 0.15 * np.abs(plain - bias).mean()
