import numpy as np
import pytest

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ModelFileError
from textgenrnn.network.parameters import (
    check_parameters,
    count_parameters,
    initial_parameters,
    lstm_names,
    parameter_shapes,
)

CONFIG = ModelConfig(vocab_size=11, embedding_size=5, hidden_size=8, num_layers=2, attention=True)


def test_names_and_shapes() -> None:
    assert parameter_shapes(CONFIG) == {
        "embedding.weight": (11, 5),
        "rnn_1.kernel": (5, 32),
        "rnn_1.recurrent_kernel": (8, 32),
        "rnn_1.bias": (32,),
        "rnn_2.kernel": (8, 32),
        "rnn_2.recurrent_kernel": (8, 32),
        "rnn_2.bias": (32,),
        "attention.weight": (1, 21),
        "attention.position": (1, 40),
        "output.kernel": (42, 11),
        "output.bias": (11,),
    }


def test_each_head_adds_inputs_to_the_output_layer() -> None:
    shapes = parameter_shapes(CONFIG.replace(attention_heads=3, context_length=7))
    assert shapes["attention.weight"] == (3, 21)
    assert shapes["attention.position"] == (3, 7)
    assert shapes["output.kernel"] == (84, 11)


def test_without_attention_the_output_layer_has_half_the_inputs() -> None:
    shapes = parameter_shapes(CONFIG.replace(attention=False))
    assert "attention.weight" not in shapes
    assert shapes["output.kernel"] == (21, 11)


def test_the_windowed_form_sees_the_average_alone() -> None:
    shapes = parameter_shapes(CONFIG.replace(form="windowed"))
    assert "attention.position" not in shapes
    assert shapes["attention.weight"] == (1, 21)
    assert shapes["output.kernel"] == (21, 11)


def test_bidirectional_layers_have_two_of_everything() -> None:
    config = CONFIG.replace(form="windowed", bidirectional=True)
    assert parameter_shapes(config) == {
        "embedding.weight": (11, 5),
        "rnn_1.forward.kernel": (5, 32),
        "rnn_1.forward.recurrent_kernel": (8, 32),
        "rnn_1.forward.bias": (32,),
        "rnn_1.backward.kernel": (5, 32),
        "rnn_1.backward.recurrent_kernel": (8, 32),
        "rnn_1.backward.bias": (32,),
        "rnn_2.forward.kernel": (16, 32),
        "rnn_2.forward.recurrent_kernel": (8, 32),
        "rnn_2.forward.bias": (32,),
        "rnn_2.backward.kernel": (16, 32),
        "rnn_2.backward.recurrent_kernel": (8, 32),
        "rnn_2.backward.bias": (32,),
        "attention.weight": (1, 37),
        "output.kernel": (37, 11),
        "output.bias": (11,),
    }
    assert lstm_names(config, 2) == ("rnn_2.forward", "rnn_2.backward")
    assert lstm_names(CONFIG, 2) == ("rnn_2",)
    parameters = initial_parameters(config, seed=0)
    check_parameters(parameters, config)
    assert parameters["rnn_2.backward.bias"].reshape(4, 8).mean(axis=1).tolist() == [0, 1, 0, 0]
    assert not np.array_equal(
        parameters["rnn_2.forward.kernel"], parameters["rnn_2.backward.kernel"]
    )


def test_the_tutorials_model_has_the_size_that_is_published() -> None:
    config = ModelConfig(
        vocab_size=80, embedding_size=300, hidden_size=64, num_layers=2, attention=True,
        form="windowed", bidirectional=True,
    )  # fmt: skip
    assert count_parameters(config) == 354_812


def test_count_is_that_of_the_arrays() -> None:
    parameters = initial_parameters(CONFIG, seed=0)
    assert count_parameters(CONFIG) == sum(values.size for values in parameters.values())


def test_equal_seeds_give_equal_values() -> None:
    first, again, other = (initial_parameters(CONFIG, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["rnn_1.kernel"], other["rnn_1.kernel"])
    fresh = [initial_parameters(CONFIG)["rnn_1.kernel"] for _ in range(2)]
    assert not np.array_equal(*fresh)


def test_first_values() -> None:
    config = CONFIG.replace(hidden_size=32)
    parameters = initial_parameters(config, seed=0)
    check_parameters(parameters, config)
    assert all(values.dtype == np.float32 for values in parameters.values())
    # Gates stand in the order input, forget, cell, output; only the forget gates start at 1.
    assert parameters["rnn_2.bias"].reshape(4, 32).mean(axis=1).tolist() == [0, 1, 0, 0]
    for gate in np.split(parameters["rnn_1.recurrent_kernel"], 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(32), atol=1e-5)
    assert np.abs(parameters["rnn_1.kernel"]).max() <= np.sqrt(6 / (5 + 32))
    assert not parameters["attention.weight"].any()
    np.testing.assert_allclose(parameters["attention.position"][0, :3], [0, -0.5, -1])
    assert not parameters["output.bias"].any()


def test_each_misfit_is_named() -> None:
    parameters = initial_parameters(CONFIG, seed=0)
    parameters["rnn_3.bias"] = parameters.pop("rnn_2.bias")
    parameters["output.bias"] = np.zeros(12, np.float32)
    parameters["rnn_1.kernel"][0, 0] = np.nan
    with pytest.raises(ModelFileError) as caught:
        check_parameters(parameters, CONFIG)
    assert str(caught.value) == (
        "the parameters do not fit the configuration: `rnn_2.bias` is missing; `rnn_3.bias` is "
        "not expected; `rnn_1.kernel` holds values that are not finite; `output.bias` has shape "
        "(12,), expected (11,)."
    )
