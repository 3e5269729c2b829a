"""How Keras 2 lays out a model's weights: lists of arrays by layer, and the way to ours and back.

The original's layers, with the weights of each in Keras's order::

    input
    embedding    embeddings (V, E)
    rnn_k        kernel (inputs, 4H), recurrent_kernel (H, 4H), bias (4H,)
    rnn_concat
    attention    attention_W (C, 1)
    output       kernel (C, V), bias (V,)

A bidirectional ``rnn_k`` has six: those of the forward LSTM, then those of the backward one. In
files that were written on a GPU by the CuDNN implementation, the bias has 8H values, and each
gate's matrices are laid out differently.

Recurrent models have the same layers under names that begin with ``recurrent_``, so that Keras
never loads half of one by name; their attention has ``attention_position`` (S, A) too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textgenrnn.config import Form, ModelConfig
from textgenrnn.errors import ModelFileError
from textgenrnn.network.parameters import FloatArray, Parameters, lstm_names

__all__ = ["Layers", "NamedWeights", "layer_weights", "layers_form", "parameters_of", "sizes_of"]

Layers = Mapping[str, Sequence[FloatArray]]
"""Layer names, in order, and their weights."""
NamedWeights = list[tuple[str, FloatArray]]
"""Weights with their names within a layer's group."""

_PREFIXES: dict[Form, str] = {"windowed": "", "recurrent": "recurrent_"}
_LSTM = ("kernel", "recurrent_kernel", "bias")
_DIRECTIONS = {".forward": "/forward_lstm", ".backward": "/backward_lstm"}


def layer_weights(parameters: Parameters, config: ModelConfig) -> dict[str, NamedWeights]:
    """Return the layers of a model as Keras names them, each with its named weights.

    Args:
        parameters: Those of the model.
        config: Its configuration.

    Returns:
        Layer names in order; weight names such as ``rnn_1/kernel:0``.
    """
    layers: dict[str, NamedWeights] = {"input": []}
    layers["embedding"] = [("embedding/embeddings:0", parameters["embedding.weight"])]
    for layer in range(1, config.num_layers + 1):
        name = f"rnn_{layer}"
        layers[name] = [
            (
                f"{name}{_DIRECTIONS.get(lstm.removeprefix(name), '')}/{part}:0",
                parameters[f"{lstm}.{part}"],
            )
            for lstm in lstm_names(config, layer)
            for part in _LSTM
        ]
    layers["rnn_concat"] = []
    if config.attention:
        layers["attention"] = [("attention/attention_W:0", parameters["attention.weight"].T)]
    if "attention.position" in parameters:
        position = ("attention/attention_position:0", parameters["attention.position"].T)
        layers["attention"].append(position)
    layers["output"] = [
        (f"output/{part}:0", parameters[f"output.{part}"]) for part in ("kernel", "bias")
    ]
    prefix = _PREFIXES[config.form]
    return {
        f"{prefix}{name}": [(f"{prefix}{weight}", values) for weight, values in weights]
        for name, weights in layers.items()
    }


def layers_form(names: Sequence[str]) -> Form:
    """Return the form of the model whose layers have these names.

    Raises:
        ModelFileError: If these are not the layers of a text generator; ends without naming the
            file.
    """
    for form, prefix in _PREFIXES.items():
        if {f"{prefix}embedding", f"{prefix}rnn_1", f"{prefix}output"} <= set(names):
            return form
    shown = ", ".join(map(repr, names[:8])) or "none"
    raise ModelFileError(
        "it holds the weights of some other model: expected the layers `embedding`, `rnn_1` …, "
        f"`attention` and `output`, found {shown}{' …' if len(names) > 8 else ''}."
    )


def parameters_of(layers: Layers, form: Form) -> dict[str, FloatArray]:
    """Return our parameters from the weights of Keras's layers; other layers are left out.

    Raises:
        ModelFileError: If a layer has another number of weights, or ones of impossible shapes.
    """
    prefix = _PREFIXES[form]
    problems: list[str] = []

    def take(name: str, *counts: int) -> list[FloatArray]:
        weights = list(layers.get(f"{prefix}{name}", ()))
        if len(weights) in counts:
            return weights
        expected = " or ".join(map(str, counts))
        problems.append(f"layer `{prefix}{name}` has {len(weights)} weights, expected {expected}")
        return []

    parameters: dict[str, FloatArray] = {}
    for values in take("embedding", 1):
        parameters["embedding.weight"] = values
    layer = 1
    while f"{prefix}rnn_{layer}" in layers:
        weights = take(f"rnn_{layer}", 3, 6)
        suffixes = [""] if len(weights) == 3 else list(_DIRECTIONS)
        for suffix, start in zip(suffixes, range(0, len(weights), 3), strict=False):
            name = f"rnn_{layer}{suffix}"
            try:
                converted = _lstm_weights(*weights[start : start + 3])
            except ModelFileError as error:
                problems.append(f"layer `{prefix}rnn_{layer}` {error}")
                continue
            parameters |= {f"{name}.{p}": v for p, v in zip(_LSTM, converted, strict=True)}
        layer += 1
    if form == "windowed":
        for values in take("attention", 1):
            parameters["attention.weight"] = values.T
    elif f"{prefix}attention" in layers:
        names = ("attention.weight", "attention.position")
        weights = take("attention", 2)
        parameters |= {n: v.T for n, v in zip(names, weights, strict=False)}
    for name, values in zip(("output.kernel", "output.bias"), take("output", 2), strict=False):
        parameters[name] = values
    if problems:
        raise ModelFileError("; ".join(problems) + ".")
    return parameters


def sizes_of(parameters: Parameters, form: Form) -> dict[str, Any]:
    """Return what the shapes of parameters say about a configuration, under our names.

    Raises:
        ModelFileError: If a parameter that they follow from is no matrix.
    """
    bidirectional = "rnn_1.forward.kernel" in parameters
    recurrent = "rnn_1.forward.recurrent_kernel" if bidirectional else "rnn_1.recurrent_kernel"
    for name in ("embedding.weight", "attention.position"):
        if name in parameters and parameters[name].ndim != 2:
            raise ModelFileError(f"`{name}` has shape {parameters[name].shape}, expected a matrix.")
    vocab_size, embedding_size = parameters["embedding.weight"].shape
    numbers = [name.split(".")[0] for name in parameters if name.startswith("rnn_")]
    sizes: dict[str, Any] = {
        "form": form,
        "vocab_size": vocab_size,
        "embedding_size": embedding_size,
        "hidden_size": parameters[recurrent].shape[0],
        "num_layers": len(set(numbers)),
        "bidirectional": bidirectional,
        "attention": "attention.weight" in parameters,
    }
    if "attention.position" in parameters:
        heads, span = parameters["attention.position"].shape
        sizes |= {"attention_heads": heads, "context_length": span}
    return sizes


def _lstm_weights(
    kernel: FloatArray, recurrent: FloatArray, bias: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return an LSTM's weights in the plain layout, whichever of the two they are in.

    CuDNN has two biases, which always add up, and keeps each gate's matrices the other way round.

    Raises:
        ModelFileError: If the shapes fit neither; the message goes on from the layer's name.
    """
    hidden = recurrent.shape[0] if recurrent.ndim == 2 else 0
    columns = 4 * hidden
    fits = (
        hidden > 0
        and recurrent.shape == (hidden, columns)
        and kernel.ndim == 2
        and kernel.shape[1] == columns
        and bias.shape in {(columns,), (2 * columns,)}
    )
    if not fits:
        raise ModelFileError(
            f"has weights of shapes {kernel.shape}, {recurrent.shape} and {bias.shape}, expected "
            "(inputs, 4H), (H, 4H) and (4H,) or (8H,) of an LSTM"
        )
    if bias.shape == (columns,):
        return kernel, recurrent, bias
    kernels = [gate.T.reshape(gate.shape, order="F") for gate in np.split(kernel, 4, axis=1)]
    recurrents = [gate.T for gate in np.split(recurrent, 4, axis=1)]
    return (
        np.concatenate(kernels, axis=1),
        np.concatenate(recurrents, axis=1),
        bias[:columns] + bias[columns:],
    )
