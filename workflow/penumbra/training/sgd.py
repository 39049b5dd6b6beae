"""SGD with momentum, as torch.optim.SGD computes it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd


class Sgd:
    """One fused update a step, through torch's functional SGD; a head's `undecayed` do not decay.

    What requires no gradient stays as it is. What a module names as its `share_of_rate`, its
    parameters take of the learning rate.

    The class torch.optim.SGD imports torch's whole compiler when it is made, seconds in every
    training job; its arithmetic is in the function that both call. `rate` is a tensor () where
    steps are replayed as CUDA graphs, which would repeat a number.
    """

    def __init__(self, model: nn.Module, recipe: dict[str, Any], rate: Tensor | None = None):
        decay = recipe["weight_decay"]
        self.parameters: list[Tensor] = []
        self.groups: list[tuple[slice, float, float]] = []  # with weight decay and share of rate
        for wanted, decayed, share in _groups(model, decay):
            start = len(self.parameters)
            self.parameters += wanted
            self.groups.append((slice(start, len(self.parameters)), decayed, share))
        self.momentum: list[Tensor | None] = [None] * len(self.parameters)
        self.rate: float | Tensor = recipe["lr"] if rate is None else rate
        self.options = {
            "momentum": recipe["momentum"],
            "nesterov": recipe["nesterov"],
        }

    def set_rate(self, value: float) -> None:
        """The learning rate of the next steps."""
        if isinstance(self.rate, Tensor):
            self.rate.fill_(value)
        else:
            self.rate = value

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter by its gradient."""
        for group, weight_decay, share in self.groups:
            momentum = self.momentum[group]
            sgd(
                self.parameters[group],
                [parameter.grad for parameter in self.parameters[group]],  # type: ignore[misc]
                momentum,
                weight_decay=weight_decay,
                lr=self.rate if share == 1 else self.rate * share,
                dampening=0,
                maximize=False,
                fused=True,
                **self.options,
            )
            self.momentum[group] = momentum

    def state(self) -> dict[str, Tensor]:
        """The momentum of every parameter that has been moved, by its place."""
        return {str(i): m for i, m in enumerate(self.momentum) if m is not None}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave, on each parameter's device and in its layout.

        The fused update reads both as they lie in memory; in two layouts it would mix them up.
        """
        for place, momentum in state.items():
            like = torch.empty_like(self.parameters[int(place)])
            self.momentum[int(place)] = like.copy_(momentum)


def _groups(model: nn.Module, decay: float) -> list[tuple[list[Tensor], float, float]]:
    """The parameters that are trained, with their weight decay and what they take of the rate."""
    trained = [p for p in model.parameters() if p.requires_grad]
    spared = {id(p) for p in _undecayed(model)}
    shares = {
        id(p): share
        for module in model.modules()
        if isinstance(share := getattr(module, "share_of_rate", None), float)
        for p in module.parameters()
    }
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for parameter in trained:
        kind = id(parameter) in spared, shares.get(id(parameter), 1.0)
        groups.setdefault(kind, []).append(parameter)
    return [(each, 0.0 if kept else decay, share) for (kept, share), each in groups.items()]


def _undecayed(model: nn.Module) -> list[Tensor]:
    """Parameters that a module names in `undecayed`."""
    return [
        parameter
        for module in model.modules()
        for name in getattr(module, "undecayed", ())
        if (parameter := getattr(module, name)) is not None
    ]
