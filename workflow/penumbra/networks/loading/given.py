"""Weights of a classifier that was trained elsewhere, taken up by name."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.images.names import difference, quoted
from penumbra.networks.base import Classifier
from penumbra.networks.loading import safe
from penumbra.networks.loading.names import listed
from penumbra.networks.loading.pickled import opened
from penumbra.networks.loading.states import adopt

# What training scripts keep a state dict under, and what wrappers put before every name.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.")
# Words of widely used ResNets for 32×32 images, where torchvision's names, as here, have others;
# and of torchvision's ViTs, the last two of files from before it numbered their MLPs' layers.
SYNONYMS = {
    ".shortcut.": ".downsample.",
    "linear.": "fc.",
    "heads.head.": "fc.",
    ".mlp.linear_1.": ".mlp.0.",
    ".mlp.linear_2.": ".mlp.3.",
}
COUNTER = "num_batches_tracked"  # of batch norm, which old files lack and eval mode never reads


def take_up(
    model: Classifier, file: Path, classes: Sequence[str], order: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Give `model` the weights of a file; its logits come in the order of `classes`.

    `order` are the same classes in the order of the file's last layer, where that is another.
    Returns what else a checkpoint of this project holds: its universal map, by name.

    Raises:
        PenumbraError: the file is damaged, holds code or no tensors, was trained on another number
            of classes, or has other tensors than the network; each kind of difference is listed. Or
            a weight is no finite number.
    """
    state, maps = _read(file)
    own = model.state_dict()
    state = _unprefixed(state, own.keys(), model)
    _check_classes(file, state, own, classes)
    counters = {name: own[name] for name in own.keys() - state.keys() if name.endswith(COUNTER)}
    adopt(model, {**state, **counters}, str(file))
    _check_finite(model, file)
    if order is not None:
        _reorder(model, file, classes, order)
    return maps


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A file's tensors, and of a checkpoint of this project apart its map."""
    if file.suffix == ".npz":
        tensors = _of_numpy(file)
    elif file.suffix == ".safetensors":
        tensors = safe.opened(file)
    else:
        tensors = _unwrapped(opened(file, "the state dict of a classifier"), file)
    maps = {name: tensor for name, tensor in tensors.items() if name.startswith("map@")}
    return {name: tensor for name, tensor in tensors.items() if name not in maps}, maps


def _of_numpy(file: Path) -> dict[str, Tensor]:
    """The arrays of a NumPy file; filters (H, W, inputs, outputs) as torch has them."""
    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = {name: torch.from_numpy(held[name]) for name in held.files}
    except Exception as error:  # numpy and zlib raise anything where bytes are damaged
        raise PenumbraError(f"{file}: not a readable file of NumPy arrays: {error}") from error
    return {k: a.permute(3, 2, 0, 1).contiguous() if a.dim() == 4 else a for k, a in arrays.items()}


def _unwrapped(held: Any, file: Path) -> dict[str, Tensor]:
    while isinstance(held, Mapping):
        inner = next((held[key] for key in WRAPPERS if isinstance(held.get(key), Mapping)), None)
        if inner is not None:
            held = inner
            continue
        tensors = {k: v for k, v in held.items() if isinstance(k, str) and isinstance(v, Tensor)}
        if tensors:
            return tensors
        keys = listed(map(str, held)) or "nothing"
        raise PenumbraError(
            f"{file}: no tensors, and none below {', '.join(WRAPPERS)}: it holds {keys}; save "
            "the network's state_dict() alone"
        )
    raise PenumbraError(f"{file}: holds a {type(held).__name__}, not a state dict")


def _unprefixed(state: dict[str, Tensor], own: Set[str], model: Classifier) -> dict[str, Tensor]:
    """The tensors by the network's own names, without what wrappers put before all of them."""
    while True:
        renamed = _renamed(state, own, model)
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)
        if prefix is None or not own.isdisjoint(renamed):
            return renamed
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def _renamed(state: dict[str, Tensor], own: Set[str], model: Classifier) -> dict[str, Tensor]:
    """By the network's own names: as they are, where all are; else all as they are published."""
    if state.keys() <= own:
        return state
    name_of = getattr(model, "own_name", _usual)
    renamed = {name_of(name): tensor for name, tensor in state.items()}
    last = renamed.get("fc.weight")
    if last is not None and last.dim() == 4 and last.shape[2:] == (1, 1):  # as a 1×1 convolution
        renamed["fc.weight"] = last.flatten(1)
    return renamed if len(renamed) == len(state) else state


def _usual(name: str) -> str:
    for word, ours in SYNONYMS.items():
        name = name.replace(word, ours)
    return name


def _check_classes(
    file: Path, state: Mapping[str, Tensor], own: Mapping[str, Tensor], classes: Sequence[str]
) -> None:
    weight = state.get("fc.weight")
    if weight is None or weight.dim() != 2 or weight.shape[1:] != own["fc.weight"].shape[1:]:
        return  # another network, and told as such
    if len(weight) != len(classes):
        raise PenumbraError(
            f"{file}: its last layer tells {len(weight)} classes apart, and the training images "
            f"have {len(classes)}: {quoted(classes)}; give it images of all its classes, each in a "
            "folder of its own"
        )


def _check_finite(model: Classifier, file: Path) -> None:
    state = model.state_dict()
    wrong = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if wrong:
        raise PenumbraError(
            f"{file}: not all weights are finite numbers: {listed(wrong)}; its training "
            "diverged, or the file is damaged: take a checkpoint from before"
        )


def _reorder(model: Classifier, file: Path, classes: Sequence[str], order: Sequence[str]) -> None:
    """Put the rows of the last layer in the order of `classes`."""
    if sorted(order) != sorted(classes):
        raise PenumbraError(
            f"{file}: the classes that its recipe names ({len(order)}) are not those of the "
            f"training images ({len(classes)}); {difference(order, classes)}"
        )
    rows = [order.index(name) for name in classes]
    state = model.state_dict()
    if rows != sorted(rows) and "fc.weight" not in state:
        raise PenumbraError(
            f"{file}: the last layer's weight is made of others, as weight norm and spectral norm "
            "do, so its rows cannot be put in the order of the training images' classes; before "
            "the network is saved call torch.nn.utils.parametrize.remove_parametrizations(layer, "
            "'weight'), and build it with a plain last layer"
        )
    for name in ("fc.weight", "fc.bias"):
        if name in state:
            state[name].copy_(state[name][rows])
