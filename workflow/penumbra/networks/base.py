"""What every classifier here offers: a trunk of named places, and a head."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from penumbra.errors import unknown

INPUT = "input"


class Classifier(nn.Module):
    """A network as an ordered list of named places up to the penultimate feature, then `fc`.

    Any place's output can be read (`outputs_of`), replaced (`onward`) or perturbed (`perturb`),
    which is how block norms are taken and a universal map is added inside the network.
    """

    fc: nn.Module
    positions: Mapping[str, str]  # middle, final -> place whose output a map is added to
    blocks: tuple[str, ...]  # places whose output is a feature map, in order
    levels: tuple[str, ...]  # places that end levels of resolution, in order: maps or tokens
    last_weights: tuple[str, ...]  # names of the last two convolutions' weights, the last first

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """The trunk, in order; the last place gives features (N, D)."""
        raise NotImplementedError

    def features(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Penultimate features (N, D) of inputs (N, 3, H, W)."""
        return self._run(self.places(), added(x, INPUT, perturb), perturb)

    def forward(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C); `perturb` = (place or "input", map) is added to that place's output."""
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
        """Outputs of the named places, in order of the places; stops after the last of them.

        Raises:
            PenumbraError: a name is none of the places'.
        """
        for name in names:
            self._index_of(name)
        x = added(x, INPUT, perturb)
        outputs: dict[str, Tensor] = {}
        for name, run in self.places():
            x = added(run(x), name, perturb)
            if name in names:
                outputs[name] = x
            if len(outputs) == len(set(names)):
                break
        return outputs

    def onward(
        self, place: str, value: Tensor, perturb: tuple[str, Tensor] | None = None
    ) -> Tensor:
        """Logits (N, C) of what a place gave: only the places after it are run.

        A map that is added at that place or before is taken to be in `value` already.

        Raises:
            PenumbraError: no place has this name.
        """
        rest = self.places()[self._index_of(place) + 1 :]
        return self.fc(self._run(rest, value, perturb))

    @staticmethod
    def _run(
        places: list[tuple[str, Callable[[Tensor], Tensor]]],
        x: Tensor,
        perturb: tuple[str, Tensor] | None,
    ) -> Tensor:
        for name, run in places:
            x = added(run(x), name, perturb)
        return x

    def _index_of(self, place: str) -> int:
        names = [name for name, _ in self.places()]
        if place not in names:
            raise unknown("place", place, names, type(self).__name__)
        return names.index(place)

    def check_block(self, name: str) -> None:
        """Refuse a feature block that does not exist, listing those that do."""
        if name not in self.blocks:
            raise unknown("feature block", name, self.blocks, type(self).__name__)

    def place(self, position: str) -> str:
        """The place that a map's position (input, middle, final) names."""
        if position == INPUT:
            return INPUT
        if position not in self.positions:
            raise unknown("position", position, [INPUT, *self.positions], type(self).__name__)
        return self.positions[position]

    def shape_at(self, place: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape (1, C, H, W) of a place's output for inputs of `shape` (C, H, W)."""
        if place == INPUT:
            return (1, *shape)
        x = next(self.parameters()).new_zeros(1, *shape)
        was_training = self.training
        self.eval()
        with torch.no_grad():
            maps = self.maps(x, (place,))
        self.train(was_training)
        return tuple(maps[place].shape)


def added(x: Tensor, place: str, perturb: tuple[str, Tensor] | None) -> Tensor:
    """`x`, the output of `place`, with the map added if this is the map's place."""
    return x if perturb is None or perturb[0] != place else x + perturb[1]


def pool(x: Tensor) -> Tensor:
    """Global average: (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))
