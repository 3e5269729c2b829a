"""AdamW over torch's fused kernel, without torch's optimiser class.

Making a ``torch.optim`` optimiser imports torch's compiler: 1.4 to 2 s before the first update of
every run, for nothing that is used here. The kernel is the one that such an optimiser would call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["AdamW"]

_BETAS = (0.9, 0.99)
_EPSILON = 1e-8


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Args:
        decayed: Parameters that decay.
        plain: Parameters that do not.
        learning_rate: Step size; may be set anew before each step.
        weight_decay: Share of ``decayed`` that a step at rate 1 would take away.
    """

    def __init__(
        self,
        decayed: Sequence[nn.Parameter],
        plain: Sequence[nn.Parameter],
        *,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        self.learning_rate = learning_rate
        self.groups = [(list(decayed), weight_decay), (list(plain), 0.0)]
        self._state = {
            parameter: (torch.zeros_like(parameter), torch.zeros_like(parameter), torch.zeros(()))
            for parameters, _ in self.groups
            for parameter in parameters
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._state:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient."""
        for parameters, weight_decay in self.groups:
            moved: list[Tensor] = []
            gradients = []
            states = []
            for parameter in parameters:
                if parameter.grad is not None:
                    moved.append(parameter)
                    gradients.append(parameter.grad)
                    states.append(self._state[parameter])
            if not moved:
                continue
            steps = [step.add_(1) for _, _, step in states]
            torch._fused_adamw_(
                moved,
                gradients,
                [mean for mean, _, _ in states],
                [square for _, square, _ in states],
                [],
                steps,
                lr=self.learning_rate,
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                weight_decay=weight_decay,
                eps=_EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the state, in the order of the parameters."""
        return {"state": list(self._state.values())}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over the state of an optimiser of the same parameters."""
        state: list[tuple[Tensor, Tensor, Tensor]] = saved["state"]
        self._state = dict(zip(self._state, state, strict=True))
