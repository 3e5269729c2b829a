"""The network as a PyTorch module, built for the processor's fused LSTM kernels.

Whole sequences go through ``torch.lstm`` one layer at a time, time-major, in constant shapes; with
``bf16`` the weights are kept in float32 and rounded once a step, so that gradients and the
optimiser stay in float32 (mixed precision, Micikevicius et al., 2018).

Letters: B batch, T steps, V vocabulary, E embedding, H hidden, L layers, C = E + L·H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's name for it)
from torch import Tensor, nn

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import FloatArray, Parameters, parameter_shapes

__all__ = ["NetworkState", "RecurrentNetwork"]


@dataclass(frozen=True)
class NetworkState:
    """What the network remembers between two calls, detached from the graph.

    Attributes:
        layers: Hidden and cell state of each layer, (1, B, H) each.
        context: The last S < ``context_length`` values of ``rnn_concat``, (S, B, C); ``None``
            without attention.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    context: Tensor | None


class RecurrentNetwork(nn.Module):
    """The recurrent form, as :mod:`textgenrnn.network.forward` defines it.

    Args:
        config: Shape of the network.
        parameters: First values.
        dropout: Share of the output layer's inputs that are silenced while training.
        dtype: Arithmetic of the LSTM and output layers: float32 or bfloat16.
    """

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
            # torch stores matrices as (outputs, inputs) but the embedding as we do.
            transposed = values.ndim == 2 and name != "embedding.weight"
            self.weights[_key(name)] = nn.Parameter(
                torch.from_numpy((values.T if transposed else values).copy())
            )
        # torch.lstm wants two biases; the model has one.
        self.register_buffer("_no_bias", torch.zeros(4 * config.hidden_size), persistent=False)

    def initial_state(self, batch_size: int) -> NetworkState:
        """Return the state before the first token."""
        shape = (1, batch_size, self.config.hidden_size)
        zeros = self.weights["embedding_weight"].new_zeros(shape, dtype=self.dtype)
        context = None
        if self.config.attention:
            context = zeros.new_zeros((0, batch_size, self.config.concat_size))
        return NetworkState(((zeros, zeros),) * self.config.num_layers, context)

    def forward(self, token_ids: Tensor, state: NetworkState) -> tuple[Tensor, NetworkState]:
        """Read T tokens in each of B rows.

        Args:
            token_ids: (T, B) int64.
            state: What :meth:`initial_state` or the previous call returned.

        Returns:
            Logits (T, B, V), float32, and the state to go on with, detached from the graph.
        """
        outputs = [F.embedding(token_ids, self.weights["embedding_weight"]).to(self.dtype)]
        layers = []
        for layer, hidden_and_cell in enumerate(state.layers, start=1):
            weights = [
                self._weight(f"rnn_{layer}.kernel"),
                self._weight(f"rnn_{layer}.recurrent_kernel"),
                self._weight(f"rnn_{layer}.bias"),
                self._no_bias.to(self.dtype),
            ]
            output, hidden, cell = torch.lstm(
                outputs[-1], hidden_and_cell, weights, True, 1, 0.0, self.training, False, False
            )
            outputs.append(output)
            layers.append((hidden.detach(), cell.detach()))
        features = torch.cat(outputs, dim=-1)  # (T, B, C)
        context = state.context
        if context is not None:
            averages, context = self._attend(features, context)
            features = torch.cat([features, averages], dim=-1)  # (T, B, 2C)
        if self.training and self.dropout:
            features = F.dropout(features, self.dropout)
        logits = F.linear(features, self._weight("output.kernel"), self._weight("output.bias"))
        return logits.float(), NetworkState(tuple(layers), context)

    def _attend(self, features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the causal attention averages (T, B, C) and the context of the next call."""
        span, steps = self.config.context_length, features.shape[0]
        known = torch.cat([context, features]).transpose(0, 1)  # (B, S + T, C)
        scores = (known @ self._weight("attention.weight")).float()  # (B, S + T)
        # Position t of the call stands at S + t; it sees itself and the span - 1 before it.
        distance = torch.arange(context.shape[0], context.shape[0] + steps, device=known.device)
        distance = distance[:, None] - torch.arange(known.shape[1], device=known.device)
        outside = (distance < 0) | (distance >= span)  # (T, S + T)
        weights = scores[:, None, :].masked_fill(outside, float("-inf")).softmax(dim=-1)
        averages = torch.bmm(weights.to(known.dtype), known)  # (B, T, C)
        kept = known[:, max(0, known.shape[1] - (span - 1)) :]
        return averages.transpose(0, 1), kept.transpose(0, 1).detach()

    def export(self) -> dict[str, FloatArray]:
        """Return a copy of the parameters in the model's own layout."""
        exported = {}
        for name in parameter_shapes(self.config):
            values = self.weights[_key(name)].detach().float().cpu().numpy()
            transposed = values.ndim == 2 and name != "embedding.weight"
            exported[name] = np.array(values.T if transposed else values, np.float32, order="C")
        return exported

    def _weight(self, name: str) -> Tensor:
        return self.weights[_key(name)].to(self.dtype)


def _key(name: str) -> str:
    """Return the module's name of a parameter: torch allows no dots in it."""
    return name.replace(".", "_")
