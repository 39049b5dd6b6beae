"""What every classifier here offers: a trunk of named steps, and a head."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from penumbra.errors import unknown

INPUT = "input"


class Classifier(nn.Module):
    """A network as an ordered list of named steps up to the penultimate feature, then `fc`.

    Any step's output can be read (`outputs_of`), replaced (`onward`) or perturbed (`perturb`),
    which is how block norms are taken and a universal map is added inside the network.
    """

    fc: nn.Module
    positions: Mapping[str, str]  # middle, final -> step whose output a map is added to
    blocks: tuple[str, ...]  # steps whose output is a feature map, in order
    stages: tuple[str, ...]  # steps that end the network's stages, in order: maps or tokens
    last_weights: tuple[str, ...]  # names of the last two convolutions' weights, the last first

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """The trunk, in order; the last step gives features (N, D)."""
        raise NotImplementedError

    def features(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Penultimate features (N, D) of inputs (N, 3, H, W)."""
        return self._run(self.steps(), added(x, INPUT, perturb), perturb)

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
        return self.outputs_of(x, names, perturb)

    def outputs_of(
        self, x: Tensor, names: tuple[str, ...], perturb: tuple[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Outputs of the named steps, in order of the steps; stops after the last of them.

        Raises:
            PenumbraError: a name is none of the steps'.
        """
        for name in names:
            self._place_of(name)
        x = added(x, INPUT, perturb)
        found: dict[str, Tensor] = {}
        for name, step in self.steps():
            x = added(step(x), name, perturb)
            if name in names:
                found[name] = x
            if len(found) == len(set(names)):
                break
        return found

    def onward(self, step: str, value: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C) of what a step gave: only the steps after it are run.

        A map that is added at that step or before is taken to be in `value` already.

        Raises:
            PenumbraError: no step has this name.
        """
        rest = self.steps()[self._place_of(step) + 1 :]
        return self.fc(self._run(rest, value, perturb))

    @staticmethod
    def _run(
        steps: list[tuple[str, Callable[[Tensor], Tensor]]],
        x: Tensor,
        perturb: tuple[str, Tensor] | None,
    ) -> Tensor:
        for name, step in steps:
            x = added(step(x), name, perturb)
        return x

    def _place_of(self, step: str) -> int:
        names = [name for name, _ in self.steps()]
        if step not in names:
            raise unknown("step", step, names, type(self).__name__)
        return names.index(step)

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
        x = next(self.parameters()).new_zeros(1, *shape)
        was_training = self.training
        self.eval()
        with torch.no_grad():
            found = self.maps(x, (step,))
        self.train(was_training)
        return tuple(found[step].shape)


def added(x: Tensor, step: str, perturb: tuple[str, Tensor] | None) -> Tensor:
    """`x`, the output of `step`, with the map added if this is the map's step."""
    return x if perturb is None or perturb[0] != step else x + perturb[1]


def pool(x: Tensor) -> Tensor:
    """Global average: (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))
