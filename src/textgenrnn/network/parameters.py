"""The parameters of a network: their names, shapes and first values.

A network is a mapping from names to float32 arrays. Names follow the original's layers
(``embedding``, ``rnn_1`` … ``rnn_n``, ``attention``, ``output``); matrices are stored as
(inputs, outputs), gates in the order input, forget, cell, output (i, f, c, o), as Keras does::

    embedding.weight        (V, E)
    rnn_k.kernel            (E or H, 4H)    input of layer k: the embedding, then layer k - 1
    rnn_k.recurrent_kernel  (H, 4H)
    rnn_k.bias              (4H,)
    attention.weight        (A, C)          only with attention: A heads, C = E + L·H
    attention.position      (A, S)          score of a position 0 … S - 1 tokens back
    output.kernel           ((1 + A) C, V)  [embedding, h_1 … h_L, attention averages]; A may be 0
    output.bias             (V,)

In the windowed form the output layer sees the average alone, and the average no positions::

    attention.weight        (1, C)
    output.kernel           (C, V)

A bidirectional layer has two sets, ``rnn_k.forward.kernel`` … and ``rnn_k.backward.kernel`` …;
then the input of layer k > 1 is (2H, 4H), and C = E + 2·L·H.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from textgenrnn.config import ModelConfig
from textgenrnn.errors import ModelFileError

__all__ = [
    "FloatArray",
    "Parameters",
    "check_parameters",
    "count_parameters",
    "initial_parameters",
    "lstm_names",
    "parameter_problems",
    "parameter_shapes",
]

FloatArray = npt.NDArray[np.float32]
Parameters = Mapping[str, FloatArray]


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return every parameter's name and shape, in the order of the layers.

    Example:
        >>> shapes = parameter_shapes(ModelConfig(vocab_size=66, hidden_size=8, num_layers=1))
        >>> shapes["rnn_1.recurrent_kernel"]
        (8, 32)
    """
    hidden = config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (config.vocab_size, config.embedding_size)
    }
    inputs = config.embedding_size
    for layer in range(1, config.num_layers + 1):
        for lstm in lstm_names(config, layer):
            shapes[f"{lstm}.kernel"] = (inputs, 4 * hidden)
            shapes[f"{lstm}.recurrent_kernel"] = (hidden, 4 * hidden)
            shapes[f"{lstm}.bias"] = (4 * hidden,)
        inputs = config.layer_outputs
    if config.attention:
        shapes["attention.weight"] = (config.attention_heads, config.concat_size)
        if config.form == "recurrent":
            shapes["attention.position"] = (config.attention_heads, config.context_length)
    shapes["output.kernel"] = (config.output_inputs, config.vocab_size)
    shapes["output.bias"] = (config.vocab_size,)
    return shapes


def lstm_names(config: ModelConfig, layer: int) -> tuple[str, ...]:
    """Return what the parameters of a layer's LSTMs begin with; layers count from 1.

    Example:
        >>> lstm_names(ModelConfig(vocab_size=66), 2)
        ('rnn_2',)
    """
    if config.bidirectional:
        return (f"rnn_{layer}.forward", f"rnn_{layer}.backward")
    return (f"rnn_{layer}",)


def count_parameters(config: ModelConfig) -> int:
    """Return the number of trainable values of a network of this configuration."""
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())


def initial_parameters(config: ModelConfig, seed: int | None = None) -> dict[str, FloatArray]:
    """Draw the first values of all parameters.

    Embeddings are normal with deviation 0.1; input kernels uniform as Glorot and Bengio (2010);
    recurrent kernels orthogonal per gate (Saxe et al., 2014); biases zero, but 1 for the forget
    gates (Jozefowicz et al., 2015); the output kernel starts small, so that the first
    predictions are near uniform. Attention scores start at zero but for their falling with
    distance, half as steeply from head to head (Press et al., 2022).

    Args:
        config: Shape of the network.
        seed: Equal seeds give equal values; ``None`` draws fresh ones.

    Returns:
        Name to float32 array, shaped as :func:`parameter_shapes` says.
    """
    rng = np.random.default_rng(seed)
    hidden = config.hidden_size
    parameters: dict[str, FloatArray] = {}
    for name, shape in parameter_shapes(config).items():
        values: npt.NDArray[np.floating[Any]]
        kind = name.rpartition(".")[2] if name.startswith("rnn_") else name
        if kind == "embedding.weight":
            values = rng.normal(0.0, 0.1, shape)
        elif kind == "kernel":
            limit = math.sqrt(6.0 / (shape[0] + hidden))
            values = rng.uniform(-limit, limit, shape)
        elif kind == "recurrent_kernel":
            gates = [np.linalg.qr(rng.normal(size=(hidden, hidden)))[0] for _ in range(4)]
            values = np.concatenate(gates, axis=1)
        elif kind == "bias":
            values = np.zeros(shape)
            values[hidden : 2 * hidden] = 1.0
        elif kind == "output.kernel":
            values = rng.normal(0.0, 0.5 / math.sqrt(shape[0]), shape)
        elif kind == "attention.position":
            slopes = 0.5 ** np.arange(1, shape[0] + 1)
            values = -slopes[:, None] * np.arange(shape[1])
        else:  # attention.weight, output.bias
            values = np.zeros(shape)
        parameters[name] = values.astype(np.float32)
    return parameters


def check_parameters(parameters: Parameters, config: ModelConfig) -> None:
    """Check that names, shapes and values fit the configuration.

    Raises:
        ModelFileError: Naming every parameter that is missing, superfluous or of another shape,
            or that holds values that are not finite.
    """
    if problems := parameter_problems(parameters, config):
        raise ModelFileError(
            "the parameters do not fit the configuration: " + "; ".join(problems) + "."
        )


def parameter_problems(parameters: Parameters, config: ModelConfig) -> list[str]:
    """Return what :func:`check_parameters` would complain of, one string per parameter."""
    expected = parameter_shapes(config)
    problems = [f"`{name}` is missing" for name in expected if name not in parameters]
    problems += [f"`{name}` is not expected" for name in parameters if name not in expected]
    for name, shape in expected.items():
        if name not in parameters:
            continue
        if parameters[name].shape != shape:
            problems.append(f"`{name}` has shape {parameters[name].shape}, expected {shape}")
        elif not np.isfinite(parameters[name]).all():
            problems.append(f"`{name}` holds values that are not finite")
    return problems
