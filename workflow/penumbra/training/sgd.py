"""SGD with momentum, as torch.optim.SGD computes it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd


class Sgd:
    """One fused update a step, through torch's functional SGD.

    The class torch.optim.SGD imports torch's whole compiler when it is made, seconds in every
    training job; its arithmetic is in the function that both call.
    """

    def __init__(self, model: nn.Module, recipe: dict[str, Any]):
        self.parameters: list[Tensor] = list(model.parameters())
        self.momentum: list[Tensor | None] = [None] * len(self.parameters)
        self.rate: float = recipe["lr"]
        self.options = {
            "weight_decay": recipe["weight_decay"],
            "momentum": recipe["momentum"],
            "nesterov": recipe["nesterov"],
        }

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter by its gradient."""
        gradients = [parameter.grad for parameter in self.parameters]
        sgd(
            self.parameters,
            gradients,  # type: ignore[arg-type]
            self.momentum,
            lr=self.rate,
            dampening=0,
            maximize=False,
            fused=True,
            **self.options,
        )
