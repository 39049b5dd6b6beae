"""Feature norms of blocks and the choice of a block by norm ratio (FN, Yu et al. 2023)."""

import numpy as np
import torch
from torch import Tensor

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


def choose(block: str, ratios: dict[str, float]) -> str:
    """`selected`: the block of the largest ratio; `last`: the last one; else the name itself."""
    if block == "selected":
        return max(ratios, key=lambda name: ratios[name])
    return list(ratios)[-1] if block == "last" else block
