"""Test images drawn again and again, the same ones for every scorer, model and seed."""

import functools
from pathlib import Path

import numpy as np

from penumbra.seeds import derive

DRAWS = 100


def draws_of(metrics: Path) -> Path:
    """Where the metrics under resampled images lie, beside those of all images."""
    return metrics.parent / "draws" / metrics.name


@functools.lru_cache(16)  # every scorer of a model asks for the same few sets
def image_draws(image_set: str, count: int) -> np.ndarray:
    """How often each of `count` images is drawn, (DRAWS, count); by its name and size alone."""
    rng = np.random.default_rng(derive("resampling", image_set, count))
    drawn = rng.integers(0, count, (DRAWS, count))
    return np.stack([np.bincount(row, minlength=count) for row in drawn]).astype(np.int32)
