"""A classifier as scorers see it: run, differentiated, read and resumed with its universal map."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from penumbra.networks.base import Classifier


@dataclass(frozen=True)
class Probe:
    """What a scorer may ask of a network; inputs x (n, 3, H, W) are normalised ones.

    `model` is in eval mode; `std` (1, 3, 1, 1) is that of the inputs' normalisation, so that a
    change e in units of pixels is e / std; `perturb` = (place, universal map) is added wherever the
    network is run; `fitted` is what the scorer's fit() returned, on the inputs' device and in their
    dtype.
    """

    model: Classifier
    std: Tensor
    perturb: tuple[str, Tensor] | None = None
    fitted: dict[str, Tensor] = field(default_factory=dict)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (n, C)."""
        return self.model(x, self.perturb)

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features (n, D)."""
        return self.model.features(x, self.perturb)

    def gradient(self, x: Tensor, objective: Callable[[Tensor], Tensor]) -> Tensor:
        """d(sum of objective(logits)) / dx, the shape of x; objective: logits (n, C) -> (n,).

        Images do not meet in eval mode, so each gets the gradient of its own objective.
        """
        return slope(x, lambda inputs: objective(self.logits(inputs)))

    def outputs_of(self, x: Tensor, places: tuple[str, ...]) -> dict[str, Tensor]:
        """Outputs of the named places; the network runs no further than the last of them."""
        return self.model.outputs_of(x, places, self.perturb)

    def onward(self, place: str, value: Tensor) -> Tensor:
        """Logits (n, C) of what a place gave, or of something put there instead."""
        return self.model.onward(place, value, self.perturb)


def slope(x: Tensor, value: Callable[[Tensor], Tensor]) -> Tensor:
    """d(sum of value(x)) / dx, the shape of x; value: inputs (n, …) -> (n,)."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(value(x).sum(), x)
    return gradient


def sign(gradient: Tensor) -> Tensor:
    """±1 of a gradient; 0 counts as +1, as in OpenOOD's ODIN and what follows it."""
    return torch.where(gradient >= 0, 1.0, -1.0).to(gradient)
