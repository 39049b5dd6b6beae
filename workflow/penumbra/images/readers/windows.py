"""Square windows cut from the photographs that scikit-image ships with its package."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from PIL import Image

from penumbra.images.contrast import grid_of, render
from penumbra.images.entries import NO_LABEL, Entries, Entry
from penumbra.seeds import derive

FLAT = 8.0  # grey-level deviation under which a window shows background only
TRIES = 200


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """`spec["count"]` windows; window i depends on the image set's name and i alone."""
    pictures = [
        picture
        for file in spec["dataset"]["files"]
        for picture in _pictures(Path(skimage.__file__).parent / "data" / file, spec["dataset"])
    ]
    low, high = spec["dataset"]["sides"]
    rows = []
    for i in range(spec["count"]):
        rng = np.random.default_rng(derive("windows", spec["name"], i))
        origin, grid = _window(pictures, rng, low, high)
        rows.append(Entry(origin, NO_LABEL, functools.partial(render, grid, spec["size"])))
    return Entries(rows, [])


def _pictures(path: Path, dataset: dict[str, Any]) -> Iterator[tuple[str, Image.Image]]:
    if path.suffix == ".npy":
        stack = np.load(path)[: dataset["first"]]
        for i, array in enumerate(stack):
            yield f"{path.name}[{i}]", Image.fromarray(np.uint8(np.clip(array * 255, 0, 255)))
    else:
        yield path.name, Image.open(path).convert("RGB")


def _window(
    pictures: list[tuple[str, Image.Image]], rng: np.random.Generator, low: int, high: int
) -> tuple[str, np.ndarray]:
    for _ in range(TRIES):
        name, picture = pictures[rng.integers(len(pictures))]
        side = int(rng.integers(low, min(high, *picture.size) + 1))
        x = int(rng.integers(0, picture.width - side + 1))
        y = int(rng.integers(0, picture.height - side + 1))
        grid = grid_of(picture.crop((x, y, x + side, y + side)))
        if grid.std() >= FLAT:
            break
    return f"{name}:{x},{y},{side}", grid
