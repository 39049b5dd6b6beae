"""What every classifier here offers: a trunk of named steps, and a head."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from penumbra.errors import unknown

INPUT = "input"


class Classifier(nn.Module):
    """A network as an ordered list of named steps up to the penultimate feature, then `fc`.

    Any step's output can be read (`upto`) or perturbed (`perturb`), which is how block norms are
    taken and how a universal map is added inside the network.
    """

    fc: nn.Module
    positions: Mapping[str, str]  # middle, final -> step whose output a map is added to
    blocks: tuple[str, ...]  # steps whose output is a feature map, in order

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """The trunk, in order; the last step gives features (N, D)."""
        raise NotImplementedError

    def features(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Penultimate features (N, D) of inputs (N, 3, H, W)."""
        x = added(x, INPUT, perturb)
        for name, step in self.steps():
            x = added(step(x), name, perturb)
        return x

    def forward(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C); `perturb` = (step or "input", map) is added to that step's output."""
        return self.fc(self.features(x, perturb))

    def maps(
        self, x: Tensor, names: tuple[str, ...], perturb: tuple[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Feature maps (N, C, H, W) of the named blocks; stops after the last of them.

        Raises:
            PenumbraError: a name is none of `blocks`.
        """
        for name in names:
            self.check_block(name)
        x = added(x, INPUT, perturb)
        found: dict[str, Tensor] = {}
        for name, step in self.steps():
            x = added(step(x), name, perturb)
            if name in names:
                found[name] = x
            if len(found) == len(set(names)):
                break
        return found

    def check_block(self, name: str) -> None:
        """Refuse a feature block that does not exist, listing those that do."""
        if name not in self.blocks:
            raise unknown("feature block", name, self.blocks, type(self).__name__)

    def place(self, position: str) -> str:
        """The step that a map's position (input, middle, final) names."""
        if position == INPUT:
            return INPUT
        if position not in self.positions:
            raise unknown("position", position, [INPUT, *self.positions], type(self).__name__)
        return self.positions[position]

    def shape_at(self, step: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape (1, C, H, W) of a step's output for inputs of `shape` (C, H, W)."""
        if step == INPUT:
            return (1, *shape)
        device = next(self.parameters()).device
        was_training = self.training
        self.eval()
        with torch.no_grad():
            found = self.maps(torch.zeros(1, *shape, device=device), (step,))
        self.train(was_training)
        return tuple(found[step].shape)


def added(x: Tensor, step: str, perturb: tuple[str, Tensor] | None) -> Tensor:
    """`x`, the output of `step`, with the map added if this is the map's step."""
    return x if perturb is None or perturb[0] != step else x + perturb[1]


def pool(x: Tensor) -> Tensor:
    """Global average: (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))
