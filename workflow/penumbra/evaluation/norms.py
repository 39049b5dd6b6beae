"""Feature norms of blocks and the choice of a block by norm ratio (FN, Yu et al. 2023)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.base import INPUT
from penumbra.networks.inference import Reader, statistics
from penumbra.seeds import derive

TILES = 3


def jigsaw(x: Tensor, orders: Tensor) -> Tensor:
    """Permute 3×3 tiles: images (N, C, H, W), orders (N, 9) = source tile of each place.

    Tiles measure floor(H/3) × floor(W/3); rows and columns left over stay zero, as in FN's code.
    """
    n, c, height, width = x.shape
    h, w = height // TILES, width // TILES
    tiles = x[:, :, : TILES * h, : TILES * w].reshape(n, c, TILES, h, TILES, w)
    tiles = tiles.permute(0, 2, 4, 1, 3, 5).reshape(n, TILES * TILES, c, h, w)
    moved = tiles[torch.arange(n, device=x.device)[:, None], orders]
    moved = moved.reshape(n, TILES, TILES, c, h, w).permute(0, 3, 1, 4, 2, 5)
    out = torch.zeros_like(x)
    out[:, :, : TILES * h, : TILES * w] = moved.reshape(n, c, TILES * h, TILES * w)
    return out


def tile_orders(count: int) -> Tensor:
    """(count, 9) permutations; image i's depends on i alone."""
    rows = [np.random.default_rng(derive("jigsaw", i)).permutation(TILES**2) for i in range(count)]
    return torch.from_numpy(np.stack(rows))


def feature_norms(reader: Reader, x: Tensor) -> dict[str, Tensor]:
    """FN of every block: normalised inputs (N, C, H, W) -> block -> (N,)."""
    maps = reader.model.maps(x, reader.model.blocks)
    return {
        name: statistics(activations, ("l2",))["l2"].mean(1) for name, activations in maps.items()
    }


@torch.inference_mode()
def norm_ratios(
    reader: Reader, pixels: np.ndarray, orders: Tensor | None = None
) -> dict[str, float]:
    """NormRatio of every block: mean over images of FN(x) / FN(jigsaw(x)).

    Tiles are moved before normalisation, so rows left over are black; FN's repository skips the
    normalisation here, although its network never saw such inputs.
    """
    orders = tile_orders(len(pixels)) if orders is None else orders
    sums = dict.fromkeys(reader.model.blocks, 0.0)
    start = 0
    for u8 in reader.pixel_batches(pixels):
        order = orders[start : start + len(u8)].to(u8.device)
        whole = feature_norms(reader, reader.normalise(u8))
        shuffled = feature_norms(reader, reader.normalise(jigsaw(u8, order)))
        for name in sums:
            sums[name] += (whole[name].double() / shuffled[name].double()).sum().item()
        start += len(u8)
    return {name: total / len(pixels) for name, total in sums.items()}


def largest(ratios: Mapping[str, float]) -> str:
    """The block of the largest finite ratio: where a norm is 0, it says nothing.

    Raises:
        PenumbraError: no ratio is finite.
    """
    finite = {name: ratio for name, ratio in ratios.items() if math.isfinite(ratio)}
    if not finite:
        raise PenumbraError(
            "no block has a finite norm ratio, since features are 0 on whole images: the network "
            "has not learned; train it otherwise (lr, epochs), or name the scorer's `block`"
        )
    return max(finite, key=lambda name: finite[name])


def behind(block: str, blocks: Sequence[str], place: str) -> str:
    """The block itself if a map that is added at `place` reaches it, else the first one reached."""
    if place == INPUT or blocks.index(place) <= blocks.index(block):
        return block
    return place
