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
import torch.nn.functional as F
from torch import Tensor, nn

from textgenrnn.config import ModelConfig
from textgenrnn.network.parameters import FloatArray, Parameters, parameter_shapes

__all__ = ["NetworkState", "RecurrentNetwork"]


@dataclass(frozen=True)
class NetworkState:
    """What the network remembers between two calls, detached from the graph.

    Attributes:
        layers: Hidden and cell state of each layer, (1, B, H) each.
        context: What the last S < ``context_length`` positions add to the logits of positions
            that attend to them, and their scores, for each of A heads: (S, B, A·V + A); ``None``
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
        shape = (1, batch_size, self.config.hidden_size)
        zeros = self.weights["embedding_weight"].new_zeros(shape, dtype=self.dtype)
        context = None
        if self.config.attention:
            columns = self.config.attention_heads * (self.config.vocab_size + 1)
            context = zeros.new_zeros((0, batch_size, columns))
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
        if self.training and self.dropout:
            features = features * self._dropout_mask(features.shape[1])
        context = state.context
        if context is None:
            kernel, bias = self._weight("output.kernel"), self._weight("output.bias")
            logits = F.linear(features, kernel, bias)
        else:
            logits, context = self._attend(features, context)
        return logits.float(), NetworkState(tuple(layers), context)

    def _dropout_mask(self, rows: int) -> Tensor:
        """Draw which features each row goes without, (1, B, C): the same ones at all T steps.

        Drawing one value per feature and step instead took a tenth of the whole update (Gal and
        Ghahramani, 2016, give the reasons why the locked form regularises recurrent networks).
        """
        kept = torch.rand(1, rows, self.config.concat_size) >= self.dropout
        return (kept / (1.0 - self.dropout)).to(self.dtype)

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

    def export(self) -> dict[str, FloatArray]:
        """Return a copy of the parameters in the model's own layout."""
        exported = {}
        for name in parameter_shapes(self.config):
            values = self.weights[_key(name)].detach().float().cpu().numpy()
            values = values.T if _is_transposed(name) else values
            exported[name] = np.array(values, np.float32, order="C")
        return exported

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = self.weights[_key(name)]
        return weight.to(self.dtype)


def _key(name: str) -> str:
    """Return the module's name of a parameter: torch allows no dots in it."""
    return name.replace(".", "_")


def _is_transposed(name: str) -> bool:
    """Whether torch stores a parameter as (outputs, inputs) and the model the other way round."""
    return name.endswith("kernel")
