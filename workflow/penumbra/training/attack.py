"""Ascent on the loss with the model frozen."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.base import Classifier


@contextmanager
def frozen(model: nn.Module, mode: str = "eval") -> Iterator[None]:
    """Weights need no gradient and, in mode `eval`, BN statistics and dropout stand still."""
    was_training = model.training
    needed = [p.requires_grad for p in model.parameters()]
    model.train(mode == "train")
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, need in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(need)
        model.train(was_training)


def pgd(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    eps: Tensor,
    step: Tensor,
    steps: int,
    bounds: tuple[Tensor, Tensor],
    noise: Tensor | None,
    lowered: bool = False,
) -> Tensor:
    """Per-sample l∞ PGD (Madry et al. 2018): inputs (n, C, H, W) -> adversarial inputs.

    `eps`, `step` and `bounds` are per channel (1, C, 1, 1) in normalised units. With `noise` (n,
    C, H, W) in [-1, 1] the start is that far in the eps ball. `lowered` runs the network in
    bfloat16.
    """
    low, high = torch.maximum(x - eps, bounds[0]), torch.minimum(x + eps, bounds[1])
    adversarial = x
    if noise is not None:
        adversarial = torch.clamp(x + noise * eps, low, high)
    with frozen(model):
        for _ in range(steps):
            adversarial = adversarial.detach().requires_grad_(True)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=lowered):
                loss = F.cross_entropy(model(adversarial), y)
            (gradient,) = torch.autograd.grad(loss, adversarial)
            adversarial = torch.clamp(adversarial.detach() + step * gradient.sign(), low, high)
    return adversarial.detach()
