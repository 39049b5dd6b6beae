"""CCFN for vision transformers: a residual norm of the gated class token (UAT paper, A.12)."""

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.probe import Probe
from penumbra.numerics import principal_dim
from penumbra.options.ranges import Count

NEEDS = ("maps",)
FIT = ("train", "maps")
Gate = Literal["token_max", "self", "none"]
GATES = get_args(Gate)
TOKENS = "norm"  # the place that gives all tokens as the head would see them


def fit(probe: Probe, batches: Iterable[Tensor], dim: Count | None = None) -> dict[str, Tensor]:
    """ViM's residual space (Wang et al. 2022) of training images' gated features, for each gate.

    `dim` leading directions are left out; the paper names no number. Default: ViM's, 1000 of 2048
    features or more, 512 of 768 or more, else half of them.

    Returns:
        `origin` (D,), -W⁺b; `residual_<gate>` (D, D - dim), orthonormal directions of the least
        second moment about it.

    Raises:
        PenumbraError: the network is no transformer, or no direction would be left.
    """
    origin = _origin(probe)
    width = len(origin)
    dim = principal_dim(width) if dim is None else dim
    if not 0 <= dim < width:
        raise PenumbraError(
            f"scorer ccfn_vit: dim {dim} leaves none of {width} features; choose less than {width}"
        )
    moments = dict.fromkeys(GATES, origin.new_zeros(width, width))
    for x in batches:
        tokens = tokens_of(probe, x).double()
        for gate in GATES:
            apart = gated(tokens, gate) - origin
            moments[gate] = moments[gate] + apart.mT @ apart
    fitted = {"origin": origin}
    for gate, moment in moments.items():
        _, directions = torch.linalg.eigh(moment)
        fitted[f"residual_{gate}"] = directions[:, : width - dim].contiguous()
    return fitted


def score(probe: Probe, x: Tensor, gate: Gate = "token_max") -> Tensor:
    """-‖residual part of the gated class token‖₂ ≤ 0: (n, 3, H, W) -> (n,).

    Raises:
        PenumbraError: the network is no transformer, or there is no such gate.
    """
    feature = gated(tokens_of(probe, x), gate)
    fitted = probe.fitted
    return -torch.linalg.vector_norm(
        (feature - fitted["origin"]) @ fitted[f"residual_{gate}"], dim=1
    )


def gated(tokens: Tensor, gate: str) -> Tensor:
    """Normalised tokens (n, L, D), the class token first -> its gated feature (n, D).

    "Channel-wise gating (max activation)" is read as: each channel of the class token times the
    maximum of its ReLU over all tokens, as in Eq. 4 (`token_max`), or times its own ReLU (`self`).

    Raises:
        PenumbraError: there is no such gate.
    """
    if gate not in GATES:
        raise unknown("gate", gate, GATES, "scorer ccfn_vit")
    feature = tokens[:, 0]
    if gate == "token_max":
        return feature * tokens.amax(1).relu()
    return feature * feature.relu() if gate == "self" else feature


def tokens_of(probe: Probe, x: Tensor) -> Tensor:
    """Normalised tokens (n, L, D) of inputs.

    Raises:
        PenumbraError: the network is no transformer.
    """
    if TOKENS not in dict(probe.model.places()):
        raise PenumbraError(
            f"scorer ccfn_vit: {type(probe.model).__name__} has no tokens; score it by ccfn"
        )
    return probe.outputs_of(x, (TOKENS,))[TOKENS]


def _origin(probe: Probe) -> Tensor:
    """Where all logits are closest to zero: (D,) float64."""
    weight = probe.model.get_parameter("fc.weight").detach().double()
    bias = dict(probe.model.named_parameters()).get("fc.bias", weight.new_zeros(len(weight)))
    return -torch.linalg.pinv(weight) @ bias.detach().double()
