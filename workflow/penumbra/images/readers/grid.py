"""All 8×8 cells of semantic and covariate shift of some images, as Syn-IS has them."""

from pathlib import Path
from typing import Any

from penumbra.images.entries import Entries, Entry
from penumbra.images.image_set import evenly
from penumbra.images.readers.shifted import LEVELS, cell, sources


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """The same `per_cell` images, spread over the split, in every cell; labels are cells.

    Class `cov_<i>_sem_<j>` is level i of covariate and j of semantic shift (see `shifted`).
    """
    base, other = sources(spec, root)
    shown = base.at(evenly(len(base), spec["dataset"]["per_cell"]))
    rows: list[Entry] = []
    classes: list[str] = []
    for i in range(LEVELS + 1):
        for j in range(LEVELS + 1):
            images = cell(spec, shown, other, j / LEVELS, i / LEVELS)
            name = f"cov_{i}_sem_{j}"
            rows += [
                row._replace(label=len(classes), origin=f"{name}/{row.origin}")
                for row in images.rows
            ]
            classes.append(name)
    return Entries(rows, classes)
