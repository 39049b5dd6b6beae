"""Weights whose spectral norm stays below a bound (Miyato et al. 2018; Liu et al. 2020, SNGP)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.Linear)


class SpectralBound:
    """Divides the weights of a network's convolutions and linear layers by what is too much.

    As in SNGP's Algorithm 1 the weights themselves become W · bound / ‖W‖₂ after a step where ‖W‖₂,
    the largest singular value of W as a matrix of outputs by all else, exceeds the bound. It is
    found by power iterations that go on from step to step, so it is approached from below.
    """

    def __init__(self, network: nn.Module, bound: float, iterations: int, seed: int):
        layers = [m for m in network.modules() if isinstance(m, LAYERS)]
        self.weights = [layer.weight for layer in layers]
        self.bound, self.iterations = bound, iterations
        generator = torch.Generator().manual_seed(seed)
        drawn = (torch.randn(len(w), generator=generator) for w in self.weights)
        self.vectors = [
            F.normalize(vector, dim=0).to(w.device)
            for vector, w in zip(drawn, self.weights, strict=True)
        ]

    @torch.no_grad()
    def apply(self) -> None:
        """Bring all weights below the bound."""
        for weight, u in zip(self.weights, self.vectors, strict=True):
            matrix = weight.flatten(1)
            for _ in range(self.iterations):
                v = F.normalize(matrix.T @ u, dim=0)
                u.copy_(F.normalize(matrix @ v, dim=0))
            norm = u @ matrix @ v
            weight.mul_((self.bound / norm).clamp(max=1))

    def state(self) -> dict[str, Tensor]:
        """The vectors that the power iterations have reached."""
        return {str(i): vector for i, vector in enumerate(self.vectors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for i, vector in enumerate(self.vectors):
            vector.copy_(state[str(i)])
