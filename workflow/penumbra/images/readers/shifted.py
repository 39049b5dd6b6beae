"""A data set's images, moved by degrees towards other content and away from their own look.

The 8×8 grid of semantic and covariate shift that Bad-OOD's heat maps are drawn over, from images
that are at hand; `semantic` 0 alone is covariate-shifted ID.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.errors import unknown
from penumbra.images.entries import Entries, Entry
from penumbra.images.readers import digits, stored, windows
from penumbra.images.shift import blend, degrade
from penumbra.seeds import derive

READERS = {"digits": digits, "stored": stored, "windows": windows}
LEVELS = 7  # the highest level; level 0 is the image as it is


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """The split of the data set's `base`, each image with one of `other` to be blended in.

    `spec["semantic"]` and `spec["covariate"]` are levels from 0 (the default) to 7. Which image is
    blended in and which noise is added depend on the image's origin alone, so all cells of the
    grid show the same images.
    """
    base, other = sources(spec, root)
    return cell(spec, base, other, *(_level(spec, key) for key in ("semantic", "covariate")))


def sources(spec: dict[str, Any], root: Path | None) -> tuple[Entries, Entries]:
    """The images of the data set's `base`, and those to be blended in."""
    dataset = spec["dataset"]
    other = dataset["other"]
    return (
        _source(spec, dataset["base"], spec["split"], root),
        _source(spec, other["dataset"], other["split"], root),
    )


def cell(
    spec: dict[str, Any], base: Entries, other: Entries, share: float, severity: float
) -> Entries:
    """The images of `base` with the two shifts, each in [0, 1]."""
    rows = []
    for row in base.rows:
        partner = other.rows[derive("partner", spec["dataset_name"], row.origin) % len(other)]
        noise = derive("noise", spec["dataset_name"], row.origin)
        pixels = functools.partial(_shifted, row, partner, share, severity, noise)
        origin = f"{row.origin} + {partner.origin}" if share else row.origin
        rows.append(Entry(origin, row.label, pixels))
    return Entries(rows, base.classes)


def _level(spec: dict[str, Any], key: str) -> float:
    level = spec.get(key) or 0
    if level not in range(LEVELS + 1):
        where = f"image_sets.{spec['name']}.{key}"
        raise unknown("level", str(level), map(str, range(LEVELS + 1)), where)
    return level / LEVELS


def _shifted(row: Entry, partner: Entry, share: float, severity: float, noise: int) -> np.ndarray:
    image = row.pixels()
    mixed = blend(image, partner.pixels(), share) if share else image
    return degrade(mixed, severity, noise)


def _source(spec: dict[str, Any], name: str, split: str, root: Path | None) -> Entries:
    dataset = spec["sources"][name]
    if split not in dataset["splits"]:
        raise unknown("split", split, dataset["splits"], f"datasets.{spec['dataset_name']}")
    inner = {
        "name": name,
        "dataset_name": name,
        "dataset": dataset,
        "split": split,
        "size": spec["size"],
        "folders": None,
        "count": dataset["splits"][split].get("count"),
    }
    images = READERS[dataset["reader"]].entries(inner, root)
    images.check(name)
    return images
