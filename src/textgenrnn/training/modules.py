"""The networks as PyTorch modules, built for the processor's fused LSTM kernels.

Whole sequences go through ``torch.lstm`` one layer at a time, time-major, in constant shapes; with
``bf16`` the weights are kept in float32 and rounded once a step, so that gradients and the
optimiser stay in float32 (mixed precision, Micikevicius et al., 2018).

Letters: B batch, T steps, V vocabulary, E embedding, H hidden, L layers, A attention heads, C the
length of ``rnn_concat``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import (
    FloatArray,
    Parameters,
    lstm_names,
    parameter_shapes,
)
from textgenrnn.network.windowed import ATTENTION_EPSILON

__all__ = ["Network", "NetworkState", "RecurrentNetwork", "WindowedNetwork", "make_network"]


@dataclass(frozen=True)
class NetworkState:
    """What the network remembers between two calls, detached from the graph.

    Attributes:
        layers: Hidden and cell state of each layer, (1, B, H) each.
        context: Of the recurrent form with attention: what the last S < ``context_length``
            positions add to the logits of positions that attend to them, and their scores, for
            each of A heads, (S, B, A·V + A); else ``None``.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    context: Tensor | None


class Network(nn.Module):
    """What both forms share: parameters in torch's layout, the LSTM call, the way back.

    Args:
        config: Shape of the network.
        parameters: First values.
        dropout: Share of the features that are silenced while training.
        dtype: Arithmetic of the LSTM and output layers: float32 or bfloat16.
    """

    _no_bias: Tensor

    def __init__(
        self,
        config: ModelConfig,
        parameters: Parameters,
        *,
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        self.dropout = dropout
        self.dtype = dtype
        self.weights = nn.ParameterDict()
        for name, values in parameters.items():
            first = values.T if _is_transposed(name) else values
            self.weights[_key(name)] = nn.Parameter(torch.from_numpy(first.copy()))
        # torch.lstm wants two biases; the model has one.
        self.register_buffer("_no_bias", torch.zeros(4 * config.hidden_size), persistent=False)

    def initial_state(self, batch_size: int) -> NetworkState:
        """Return the state before the first token."""
        zeros = self._zeros(batch_size)
        return NetworkState(((zeros, zeros),) * self.config.num_layers, None)

    def export(self) -> dict[str, FloatArray]:
        """Return a copy of the parameters in the model's own layout."""
        exported = {}
        for name in parameter_shapes(self.config):
            values = self.weights[_key(name)].detach().float().cpu().numpy()
            values = values.T if _is_transposed(name) else values
            exported[name] = np.array(values, np.float32, order="C")
        return exported

    def _zeros(self, batch_size: int) -> Tensor:
        shape = (1, batch_size, self.config.hidden_size)
        return torch.zeros(shape, dtype=self.dtype, device=self._no_bias.device)

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = self.weights[_key(name)]
        return weight.to(self.dtype)

    def _embed(self, token_ids: Tensor) -> Tensor:
        return F.embedding(token_ids, self.weights["embedding_weight"]).to(self.dtype)

    def _read(
        self, lstm: str, inputs: Tensor, hidden_and_cell: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run one LSTM over (T, B, inputs); return its outputs (T, B, H) and its last state."""
        weights = [
            self._weight(f"{lstm}.kernel"),
            self._weight(f"{lstm}.recurrent_kernel"),
            self._weight(f"{lstm}.bias"),
            self._no_bias.to(self.dtype),
        ]
        output, hidden, cell = torch.lstm(
            inputs, hidden_and_cell, weights, True, 1, 0.0, self.training, False, False
        )
        return output, hidden, cell

    def _dropout_mask(self, rows: int) -> Tensor:
        """Draw which features each row goes without, (1, B, C): the same ones at all T steps.

        Drawing one value per feature and step instead took a tenth of the whole update (Gal and
        Ghahramani, 2016, give the reasons why the locked form regularises recurrent networks).
        """
        kept = torch.rand(1, rows, self.config.concat_size) >= self.dropout
        return (kept / (1.0 - self.dropout)).to(self.dtype)


class RecurrentNetwork(Network):
    """The recurrent form, as :mod:`textgenrnn.network.forward` defines it."""

    def initial_state(self, batch_size: int) -> NetworkState:
        """Return the state before the first token."""
        state = super().initial_state(batch_size)
        if not self.config.attention:
            return state
        columns = self.config.attention_heads * (self.config.vocab_size + 1)
        context = self._zeros(batch_size).new_zeros((0, batch_size, columns))
        return NetworkState(state.layers, context)

    def forward(self, token_ids: Tensor, state: NetworkState) -> tuple[Tensor, NetworkState]:
        """Read T tokens in each of B rows.

        Args:
            token_ids: (T, B) int64.
            state: What :meth:`initial_state` or the previous call returned.

        Returns:
            Logits (T, B, V), float32, and the state to go on with, detached from the graph.
        """
        outputs = [self._embed(token_ids)]
        layers = []
        for layer, hidden_and_cell in enumerate(state.layers, start=1):
            output, hidden, cell = self._read(f"rnn_{layer}", outputs[-1], hidden_and_cell)
            outputs.append(output)
            layers.append((hidden.detach(), cell.detach()))
        features = torch.cat(outputs, dim=-1)  # (T, B, C)
        if self.training and self.dropout:
            features = features * self._dropout_mask(features.shape[1])
        context = state.context
        if context is None:
            kernel, bias = self._weight("output.kernel"), self._weight("output.bias")
            logits = F.linear(features, kernel, bias)
        else:
            logits, context = self._attend(features, context)
        return logits.float(), NetworkState(tuple(layers), context)

    def _attend(self, features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (T, B, V) with the attention averages, and the context to carry on.

        The output layer is linear, so an average is taken after it, over V values instead of C.
        K positions are known: those carried over, then the T of this call. A heads.
        """
        (steps, rows, _), size = features.shape, self.config.vocab_size
        heads, carried = self.config.attention_heads, context.shape[0]
        kernels = self._weight("output.kernel").chunk(1 + heads, dim=1)  # (V, C) each
        kernel = torch.cat([*kernels, self._weight("attention.weight")])
        outputs = F.linear(features, kernel)  # (T, B, V + A·V + A)
        logits = outputs[..., :size] + self._weight("output.bias")
        known = torch.cat([context, outputs[..., size:]])  # (K, B, A·V + A)
        # Position t of the call stands at carried + t; it sees itself and the span - 1 before it.
        position = torch.arange(len(known), device=known.device)
        distance = position[carried:, None] - position  # (T, K)
        outside = (distance < 0) | (distance >= self.config.context_length)
        by_distance = self.weights["attention_position"][:, distance.masked_fill(outside, 0)]
        scores = known[..., heads * size :].permute(1, 2, 0).float()  # (B, A, K)
        scores = (scores[:, :, None] + by_distance).masked_fill(outside, float("-inf"))
        weights = scores.softmax(dim=-1).to(known.dtype)  # (B, A, T, K)
        attended = known[..., : heads * size].view(len(known), rows, heads, size)
        # One product sums over positions and heads.
        averages = torch.bmm(
            weights.transpose(1, 2).reshape(rows, steps, -1),
            attended.permute(1, 2, 0, 3).reshape(rows, -1, size),
        )  # (B, T, V)
        kept = max(0, len(known) - (self.config.context_length - 1))
        return logits + averages.transpose(0, 1), known[kept:].detach()


class WindowedNetwork(Network):
    """The windowed form, as :mod:`textgenrnn.network.windowed` defines it."""

    def forward(self, token_ids: Tensor, state: NetworkState) -> tuple[Tensor, NetworkState]:
        """Read B windows of T tokens.

        Args:
            token_ids: (T, B) int64, left-padded with 0.
            state: What :meth:`initial_state` returned: windows have no past.

        Returns:
            Logits (1, B, V), float32, of the token after each window, and the state as it was.
        """
        outputs = [self._embed(token_ids)]
        for layer, hidden_and_cell in enumerate(state.layers, start=1):
            first, *second = lstm_names(self.config, layer)
            inputs = outputs[-1]
            directions = [self._read(first, inputs, hidden_and_cell)[0]]
            for lstm in second:
                output, _, _ = self._read(lstm, inputs.flip(0), hidden_and_cell)
                directions.append(output.flip(0))
            outputs.append(torch.cat(directions, dim=-1))  # (T, B, H or 2H)
        features = torch.cat(outputs, dim=-1)  # (T, B, C)
        scores = (features @ self._weight("attention.weight")[0]).float()  # (T, B)
        weights = torch.exp(scores - scores.max(dim=0, keepdim=True).values.detach())
        weights = weights / (weights.sum(dim=0, keepdim=True) + ATTENTION_EPSILON)
        averages = torch.einsum("tb,tbc->bc", weights.to(self.dtype), features)
        if self.training and self.dropout:
            averages = averages * self._dropout_mask(len(averages))[0]
        logits = F.linear(averages, self._weight("output.kernel"), self._weight("output.bias"))
        return logits[None].float(), state


def make_network(
    config: ModelConfig, parameters: Parameters, *, dropout: float, dtype: torch.dtype
) -> Network:
    """Return the module of the configuration's form; the arguments are those of the modules."""
    form = WindowedNetwork if config.form == "windowed" else RecurrentNetwork
    return form(config, parameters, dropout=dropout, dtype=dtype)


def _key(name: str) -> str:
    """Return the module's name of a parameter: torch allows no dots in it."""
    return name.replace(".", "_")


def _is_transposed(name: str) -> bool:
    """Whether torch stores a parameter as (outputs, inputs) and the model the other way round."""
    return name.endswith("kernel")
