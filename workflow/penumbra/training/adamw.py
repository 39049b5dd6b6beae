"""AdamW, as torch.optim.AdamW computes it."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

EPSILON = 1e-8


class AdamW:
    """One fused update a step, through torch's functional Adam; all parameters decay.

    The class torch.optim.AdamW imports torch's whole compiler when it is made; its arithmetic is
    in the function that both call.
    """

    def __init__(
        self, parameters: Iterable[Tensor], weight_decay: float, betas: tuple[float, float]
    ):
        self.parameters = list(parameters)
        self.weight_decay, self.betas = weight_decay, betas
        self.rate = 0.0
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        used = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        adam(
            [self.parameters[i] for i in used],
            [self.parameters[i].grad for i in used],  # type: ignore[misc]
            [self.first[i] for i in used],
            [self.second[i] for i in used],
            [],
            [self.steps[i] for i in used],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.rate,
            weight_decay=self.weight_decay,
            eps=EPSILON,
            maximize=False,
            decoupled_weight_decay=True,
        )

    def state(self) -> dict[str, Tensor]:
        """Both moments and the step count of every parameter, by its place."""
        columns = {"first": self.first, "second": self.second, "steps": self.steps}
        return {f"{name}.{i}": t for name, column in columns.items() for i, t in enumerate(column)}

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
