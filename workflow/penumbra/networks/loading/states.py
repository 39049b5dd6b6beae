"""State dicts taken up strictly: what is missing, not expected or of another shape is named."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.loading.names import listed

State = Mapping[str, Tensor]

WHOLE = (torch.int64, torch.int32)  # as the counts of batch norms

Network = TypeVar("Network", bound=nn.Module)


def restored(make: Callable[[], Network], state: State, owner: str) -> Network:
    """The network that `make` builds, with the weights of `state`, in eval mode.

    Raises:
        PenumbraError: as `adopt` does.
    """
    with torch.device("meta"):  # initial weights would be overwritten at once
        network = make()
    adopt(network, state, owner)
    return network.eval()


def adopt(module: nn.Module, state: State, owner: str) -> None:
    """Copy `state` into `module`, which may be on the meta device, name by name.

    The tensors become the module's, in its types, where the state's lie.

    Raises:
        PenumbraError: names, shapes or kinds of numbers differ; each difference is listed.
    """
    own = module.state_dict()
    shapes = [
        f"{name} is {_shape(state[name])}, not {_shape(own[name])}"
        for name in sorted(own.keys() & state.keys())
        if state[name].shape != own[name].shape
    ]
    differences = {
        "missing": sorted(own.keys() - state.keys()),
        "not expected": sorted(state.keys() - own.keys()),
        "of another shape": shapes,
    }
    problems = [f"{kind}: {listed(names)}" for kind, names in differences.items() if names]
    if problems:
        raise PenumbraError(f"{owner}: the weights do not fit; " + "; ".join(problems))
    kinds = [
        f"{name} is {_kind(tensor)}, not {own[name].dtype}"
        for name, tensor in state.items()
        if _kind(tensor) != _kind(own[name])
    ]
    if kinds:
        raise PenumbraError(
            f"{owner}: the weights are of another kind, as of a quantised or pruned network: "
            f"{listed(kinds)}; save it in floating point"
        )
    copies = {name: tensor.to(own[name].dtype, copy=True) for name, tensor in state.items()}
    module.load_state_dict(copies, assign=True)


def shape(state: State, name: str, owner: str) -> torch.Size:
    """The shape of one tensor from which a network's sizes are inferred.

    Raises:
        PenumbraError: it is missing.
    """
    if name not in state:
        raise PenumbraError(
            f"{owner}: {name} is missing among {len(state)} tensors "
            f"({listed(sorted(state)[:3])}, …); is this the right file?"
        )
    return state[name].shape


def under(state: State, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def depth(state: State, prefix: str) -> int:
    """Length of the numbered list whose tensors are named `<prefix><number>.…`."""
    numbers = {name.split(".")[0] for name in under(state, prefix)}
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def heads_of(width: int, heads: int | None, published: Mapping[int, int], owner: str) -> int:
    """Attention heads, which no tensor's shape shows: as given, or the published ones.

    Raises:
        PenumbraError: none are given and no published network has this width.
    """
    count = heads or published.get(width)
    if count is None:
        raise PenumbraError(
            f"{owner}: no published network is {width} wide (those: "
            f"{', '.join(map(str, published))}); give its number of attention heads"
        )
    return count


def _kind(tensor: Tensor) -> str:
    """Floating point, or another type, which no rounding makes of it."""
    if tensor.layout != torch.strided:
        return str(tensor.layout)
    if tensor.is_floating_point():
        return "floating point"
    return "whole numbers" if tensor.dtype in WHOLE else str(tensor.dtype)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
