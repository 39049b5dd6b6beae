"""Any network that ends in a linear layer, as a classifier whose places are its modules by path."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.base import INPUT, Classifier, added
from penumbra.networks.loading.names import listed
from penumbra.networks.tracing import Trace, blocks_of, is_map, trace

FEATURES = "features"  # the last place: what the linear layer is given
ALONE = 1e-3  # of the largest feature: far more than sums in another order move one
OF_BATCH = (
    "the network gives an image other features beside others than alone, also in eval mode, so "
    "scores would hang on the batch; let it read each image for itself, as batch norm does with "
    "track_running_stats=True."
)


class Hooked(Classifier):
    """A network of somebody else's; its maps are read by hooks on its modules.

    The tensors are `net.<path>` and, of the last layer, `fc.weight` (C, D) and `fc.bias`. `blocks`
    are modules whose output is a map (N, C, H, W); `levels` those of them that everything behind
    passes through and that end a resolution. No map is added inside such a network.
    """

    positions = {}

    def __init__(
        self, net: nn.Module, classes: int, size: int, blocks: list[str] | None, last: str | None
    ):
        """`size` is the side of the images (3, size, size) that the network is looked at with.

        Raises:
            PenumbraError: it is TorchScript, has tensors without values, does not take such images,
                gives other logits than (N, C), does not end in a linear layer (that of the path
                `last`, where given), draws at random, gives an image other features beside others
                than alone, or a block is none.
        """
        super().__init__()
        net = _with_modules(net)
        was_training = net.training
        net.float().eval()
        seen = trace(net, size)
        self.size, self.last = size, _last(net, seen, classes, last)
        self.blocks = _checked(seen, blocks) if blocks else blocks_of(net, seen)
        convolutions = [p for p in seen.order if isinstance(net.get_submodule(p), nn.Conv2d)]
        self.last_weights = tuple(f"net.{path}.weight" for path in reversed(convolutions[-2:]))
        fc = net.get_submodule(self.last)
        parent, _, name = self.last.rpartition(".")
        setattr(net.get_submodule(parent), name, nn.Identity())
        self.net, self.fc = net, fc
        with torch.no_grad():
            features = self.net(seen.x)
            if not _same(self.fc(features), seen.logits):
                raise PenumbraError(self._why_other(features, seen.x))
            self._check_alone(seen.x[:1], features[:1])
        net.train(was_training)

    def _why_other(self, features: Tensor, x: Tensor) -> str:
        """Why logits (N, C) of a second run on x are not those of the first."""
        if not _same(self.net(x), features):
            return (
                "the network gives the same images other logits at each call, also in eval mode; "
                "let nothing in it draw at random there, as nn.Dropout does and functional dropout "
                "with training=self.training"
            )
        return (
            f"the network does more to the output of its last layer {self.last} than to return it; "
            "return the logits as that layer gives them"
        )

    def _check_alone(self, x: Tensor, beside: Tensor) -> None:
        """Refuse features that hang on what else is in the batch, as scores then would."""
        try:
            apart = (self.net(x) - beside).abs().max()
        except (RuntimeError, ValueError) as error:  # batch norm of vectors takes no single image
            raise PenumbraError(f"{OF_BATCH} It fails on an image alone: {error}") from error
        if apart > ALONE * beside.abs().max():
            raise PenumbraError(OF_BATCH)

    def own_name(self, name: str) -> str:
        """What a tensor of the original network is called here."""
        layer = f"{self.last}."  # also of its parametrizations, as spectral norm's
        return f"fc.{name.removeprefix(layer)}" if name.startswith(layer) else f"net.{name}"

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """The network before its last layer, as one."""
        return [(FEATURES, self._run_net)]

    def _run_net(self, x: Tensor) -> Tensor:
        try:
            return self.net(x)
        except AssertionError as error:  # of networks that check their input's sides
            raise PenumbraError(
                f"the network refuses images {tuple(x.shape[1:])}: {error}; bring the image sets "
                "to its size (`size` in `datasets` or `image_sets`)"
            ) from error

    def outputs_of(
        self, x: Tensor, names: tuple[str, ...], perturb: tuple[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Outputs of blocks, and the `features`; stops after the last of them.

        Raises:
            PenumbraError: a name is neither, or the map is added inside the network.
        """
        self._check_input(perturb)
        for name in names:
            self._index_of(name)
        outputs: dict[str, Tensor] = {}
        wanted = set(names)
        keepers = {name: _keeper(outputs, name, wanted) for name in wanted - {FEATURES}}
        with _hooks(self.net, keepers), contextlib.suppress(_EnoughError):
            outputs[FEATURES] = self._run_net(added(x, INPUT, perturb))
        return {name: outputs[name] for name in (*self.blocks, FEATURES) if name in names}

    def onward(
        self, place: str, value: Tensor, perturb: tuple[str, Tensor] | None = None
    ) -> Tensor:
        """Logits (N, C) of what a level or the features gave.

        Raises:
            PenumbraError: another place: what goes around it is not known from its output.
        """
        self._check_input(perturb)
        if place == FEATURES:
            return self.fc(value)
        if place not in self.levels:
            raise unknown("level", place, [*self.levels, FEATURES], type(self).__name__)
        return self._onward(place, value)

    def _onward(self, place: str, value: Tensor) -> Tensor:
        # Nothing of this one image is left behind the place.
        blank = value.new_zeros(1, 3, self.size, self.size)
        with _hooks(self.net, {place: lambda *_: value}):
            return self.fc(self.net(blank))

    @functools.cached_property
    def levels(self) -> tuple[str, ...]:  # type: ignore[override]
        """The last block of each resolution, where all that follows is a function of its output.

        Found in eval mode, as scorers read the network.
        """
        was_training = self.training
        self.eval()
        seen = trace(self.net, self.size)
        seen.logits = self.fc(seen.logits)
        by_side = {tuple(seen.outputs[block].shape[2:]): block for block in self.blocks}
        with torch.no_grad():
            levels = tuple(block for block in by_side.values() if self._decides(block, seen))
        self.train(was_training)
        return levels

    def _decides(self, place: str, seen: Trace) -> bool:
        try:
            logits = self._onward(place, seen.outputs[place])
        except RuntimeError:  # what goes around it is of another batch
            return False
        return _same(logits, seen.logits)

    def _index_of(self, place: str) -> int:
        names = [*self.blocks, FEATURES]
        if place not in names:
            raise unknown("place", place, names, type(self).__name__)
        return names.index(place)

    @staticmethod
    def _check_input(perturb: tuple[str, Tensor] | None) -> None:
        if perturb is not None and perturb[0] != INPUT:
            raise PenumbraError(
                f"a map at {perturb[0]}: into this network a map is added at its input alone"
            )


def _with_modules(net: nn.Module) -> nn.Module:
    """The network whose modules can be looked at: the one that torch.compile was given."""
    if isinstance(net, torch.jit.ScriptModule):
        raise PenumbraError(
            "the network is TorchScript, whose modules give their outputs to nobody; return the "
            "torch.nn.Module that it was made of, or score its logits as arrays: penumbra arrays"
        )
    net = getattr(net, "_orig_mod", net)
    empty = [name for name, tensor in net.state_dict().items() if tensor.is_meta]
    if empty:
        raise PenumbraError(
            f"the network is on the device meta, where tensors have no values: {listed(empty)}; "
            "build it on the CPU"
        )
    return net


class _EnoughError(Exception):
    """All that is wanted of a network is there."""


def _keeper(outputs: dict[str, Tensor], name: str, wanted: set[str]) -> Callable[..., None]:
    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        outputs[name] = output.clone()  # what runs after may change it in place
        if outputs.keys() >= wanted:
            raise _EnoughError

    return keep


def _same(logits: Tensor, wanted: Tensor) -> bool:
    return logits.shape == wanted.shape and torch.allclose(logits, wanted, atol=1e-4)


@contextmanager
def _hooks(net: nn.Module, hooks: Mapping[str, Callable]) -> Iterator[None]:
    handles = [net.get_submodule(path).register_forward_hook(hook) for path, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _checked(seen: Trace, blocks: Iterable[str]) -> tuple[str, ...]:
    maps = [path for path in seen.order if is_map(seen.outputs[path])]
    for path in blocks:
        if path not in maps:
            raise unknown("block", path, maps, "options.blocks, of modules that give maps")
    return tuple(sorted(blocks, key=maps.index))


def _last(net: nn.Module, seen: Trace, classes: int, given: str | None) -> str:
    """The path of the linear layer that gives the logits."""
    if tuple(seen.logits.shape[1:]) != (classes,):
        raise PenumbraError(
            f"the network gives logits {tuple(seen.logits.shape)} of two images, and its classes "
            f"are {classes}; let it end in one number a class"
        )
    linear = [path for path in seen.order if isinstance(net.get_submodule(path), nn.Linear)]
    giving = [path for path in linear if torch.equal(seen.outputs[path], seen.logits)]
    if given is not None and given not in giving:
        raise unknown("last layer", given, giving, "options.last, of linear ones that give logits")
    if not giving:
        raise PenumbraError(
            "the network does not end in a linear layer (torch.nn.Linear), whose input scorers "
            "read as features; score its logits as arrays: penumbra arrays"
        )
    return given or giving[-1]
