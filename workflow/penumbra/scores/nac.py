"""NAC-UE: how well training images cover the states of an image's neurons (Liu et al. 2023)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypedDict

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import unknown
from penumbra.networks.probe import Probe
from penumbra.options.check import examine, refuse
from penumbra.options.ranges import Filled, Positive, at_least

NEEDS = ("gradients",)
FIT = ("train", "gradients")
FEATURES = "features"


class Layer(TypedDict):
    """How a layer's states are counted."""

    full: Positive
    bins: Annotated[int, at_least(4)]  # fewer leave none between the ends
    alpha: Positive


# Those published for ResNet-18 on CIFAR-10: a bin is full at `full` images (O); M thresholds make
# the `bins`, a state is the sigmoid of α times what the neuron gives and how much it matters.
LAYERS: dict[str, Layer] = {
    "features": {"full": 50, "bins": 50, "alpha": 100.0},
    "level3": {"full": 100, "bins": 500, "alpha": 1000.0},
    "level2": {"full": 5, "bins": 50, "alpha": 0.001},
    "level1": {"full": 100, "bins": 500, "alpha": 0.001},
}


def fit(
    probe: Probe,
    batches: Iterable[Tensor],
    layers: Annotated[Mapping[str, Layer], Filled()] = LAYERS,
) -> dict[str, Tensor]:
    """How many images put each neuron of each layer into each bin of its states.

    Layers are `features`, the penultimate ones, and `level1`, `level2`, …

    Returns:
        For each layer `<layer>.counts` (M - 1, neurons), its thresholds `<layer>.edges` (M,), and
        `<layer>.full` and `<layer>.alpha`, each (1,).

    Raises:
        PenumbraError: the network has no such layer, or a layer lacks a parameter.
    """
    parameters: dict[str, Tensor] = {}
    for layer, own in layers.items():
        _place_of(probe, layer)
        refuse(f"scorer nac, layer {layer}", examine(Layer, own))
        parameters[f"{layer}.edges"] = edges(int(own["bins"]))
        parameters[f"{layer}.full"] = torch.tensor([float(own["full"])])
        parameters[f"{layer}.alpha"] = torch.tensor([float(own["alpha"])])
    counts: dict[str, Tensor] = {}
    for x in batches:
        parameters = {name: value.to(x) for name, value in parameters.items()}
        for layer, state in states(probe, x, parameters).items():
            key = f"{layer}.counts"
            counts[key] = counts.get(key, 0) + _counts(state, parameters[f"{layer}.edges"])
    return parameters | counts


def score(probe: Probe, x: Tensor) -> Tensor:
    """Mean over neurons, then layers, of min(count / O, 1) at an image's states: (n,) in [0, 1].

    Section 3.2; (n, 3, H, W) -> (n,). Layers and parameters are those of fit().
    """
    fitted, means = probe.fitted, []
    for layer, state in states(probe, x, fitted).items():
        counts = fitted[f"{layer}.counts"]
        coverage = (counts / fitted[f"{layer}.full"]).clamp(max=1)
        bins = torch.searchsorted(fitted[f"{layer}.edges"], state, right=True) - 1
        means.append(coverage.gather(0, bins).double().mean(1))
    return torch.stack(means).mean(0)


def states(probe: Probe, x: Tensor, fitted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """States (n, neurons) in [0, 1] of every layer in `fitted` (Eq. 2).

    σ(α · Σo · Σ∂k/∂o), the sums over positions or tokens, k = KL(uniform ‖ softmax).
    """
    layers = [key.removesuffix(".edges") for key in fitted if key.endswith(".edges")]
    places = {layer: _place_of(probe, layer) for layer in layers}
    last = probe.model.places()[-1][0]
    outputs = probe.outputs_of(x.detach().requires_grad_(), (*places.values(), last))
    divergence = -torch.log_softmax(probe.model.fc(outputs[last]), 1).mean(1)  # but for a constant
    values = [outputs[places[layer]] for layer in layers]
    gradients = torch.autograd.grad(divergence.sum(), values)
    return {
        layer: torch.sigmoid(fitted[f"{layer}.alpha"] * _summed(value) * _summed(gradient))
        for layer, value, gradient in zip(layers, values, gradients, strict=True)
    }


def edges(bins: int) -> Tensor:
    """M thresholds of states, from 0 to 1.2 and dense near 0 and 1: (M,) float64.

    M is rounded down to an even number.
    """
    lower = np.log(np.linspace(1, np.sqrt(1e3), bins // 2)) / np.log(1e3)
    thresholds = np.concatenate([lower[:-1], 1 - lower[::-1]])
    thresholds[-1] += 0.01
    return torch.from_numpy(np.append(thresholds, 1.2))


def _counts(state: Tensor, thresholds: Tensor) -> Tensor:
    """How many of the states (n, neurons) lie in each bin [edge, next edge): (M - 1, neurons)."""
    ordered = state.mT.contiguous().sort(1).values
    below = torch.searchsorted(ordered, thresholds.expand(len(ordered), -1).contiguous())
    return below.diff(dim=1).mT.to(state)


def _summed(value: Tensor) -> Tensor:
    """Maps (n, C, H, W) summed over positions, tokens (n, L, D) over tokens: (n, neurons)."""
    value = value.detach()
    if value.ndim == 4:
        return value.sum((2, 3))
    return value.sum(1) if value.ndim == 3 else value


def _place_of(probe: Probe, layer: str) -> str:
    """The network's place whose output is a layer's."""
    model = probe.model
    places = {f"level{i}": level for i, level in enumerate(model.levels, 1)}
    places[FEATURES] = model.places()[-1][0]
    if layer not in places:
        raise unknown("layer", layer, places, f"scorer nac, {type(model).__name__}")
    return places[layer]
