"""Exponential moving averages of a network's weights, in the layout that RCG publishes them."""

import torch
from torch import Tensor, nn

DECAY = 0.9999


class MovingAverage(nn.Module):
    """The EMA of a module's parameters, each in a buffer of its name without dots."""

    decay: Tensor
    num_updates: Tensor

    def __init__(self, module: nn.Module):
        super().__init__()
        self.register_buffer("decay", torch.tensor(DECAY))
        self.register_buffer("num_updates", torch.tensor(0, dtype=torch.int32))
        for name, parameter in module.named_parameters():
            self.register_buffer(name.replace(".", ""), parameter.detach().clone())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards the parameters; the first updates move further: (1 + n) / (10 + n)."""
        self.num_updates += 1
        decay = torch.minimum(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        averages = [self.average(name) for name, _ in module.named_parameters()]
        moves = torch._foreach_sub(list(module.parameters()), averages)
        torch._foreach_mul_(moves, 1 - decay)
        torch._foreach_add_(averages, moves)

    def average(self, name: str) -> Tensor:
        """The average of the parameter called `name` in the module."""
        return self.get_buffer(name.replace(".", ""))

    def averages(self, module: nn.Module) -> dict[str, Tensor]:
        """The averages under the names of the module's parameters."""
        return {name: self.average(name) for name, _ in module.named_parameters()}
