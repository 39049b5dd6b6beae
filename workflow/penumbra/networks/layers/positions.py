"""Fixed sine-cosine position embeddings, and the sinusoid of a time step."""

import math

import numpy as np
import torch
from torch import Tensor


def _waves(places: np.ndarray, width: int) -> np.ndarray:
    """(P,) -> (P, 2 * width): sines, then cosines, of place · 10000^(-k / width)."""
    angles = places[:, None] * 10000.0 ** (-np.arange(width) / width)
    return np.concatenate([np.sin(angles), np.cos(angles)], 1)


def grid(side: int | tuple[int, int], width: int, first: str, class_token: bool) -> Tensor:
    """(1, P, width) for a side × side grid in row-major order, P = side² (+ 1 zero row in front).

    `first` says whose waves fill the first half: "row" in MoCo-v3, "column" in MAE, MAGE and DiT.
    With two sides (height, width) place p is counted as row p // height, as MoCo-v3 does; where
    they differ that is not where patch p lies.
    """
    height, breadth = (side, side) if isinstance(side, int) else side
    row, column = np.divmod(np.arange(height * breadth), height)
    order = (row, column) if first == "row" else (column, row)
    table = np.concatenate([_waves(axis, width // 4) for axis in order], 1)
    if class_token:
        table = np.concatenate([np.zeros((1, width)), table])
    return torch.from_numpy(table).float()[None]


def time_steps(steps: Tensor, width: int) -> Tensor:
    """(N,) step indices -> (N, width): cosines, then sines, in float32 as published.

    float64 would move gradients by 1e-6 to 1e-5 of their size.
    """
    half = width // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angles = steps[:, None].float() * rates.to(steps.device)
    return torch.cat([angles.cos(), angles.sin()], 1)
