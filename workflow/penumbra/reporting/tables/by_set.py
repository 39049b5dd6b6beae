"""A stored table as a matrix of one metric: a scorer a column, an OOD image set a row."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from penumbra.reporting.tables.marks import sign
from penumbra.store.artifacts import provenance_of


@dataclass(frozen=True)
class BySet:
    """Means over seeds, (image sets, scorers), and what a reader must know of them.

    `left_out` are the table's rows without a number for some set. `title`, `level` and `seeds` are
    those of the table.
    """

    means: pd.DataFrame
    left_out: list[str]
    title: str
    level: float
    seeds: list[int]


def by_set(file: Path, metric: str) -> BySet:
    """Read one metric of a table where its columns are of one OOD image set each.

    Rows whose scores are all equal have the table's mark behind their label.
    """
    config = provenance_of(file)["config"]
    cells = zip(pq.read_table(file).to_pylist(), config["cells"], strict=True)
    single = [(c, plan) for c, plan in cells if c["metric"] == metric and len(plan["sets"]) == 1]
    labels = dict.fromkeys(cell["row_label"] for cell, _ in single)
    marks = {cell["row_label"]: sign(cell["equal"]) for cell, _ in single if sign(cell["equal"])}
    means = pd.DataFrame(
        {
            label: {plan["sets"][0]: c["mean"] for c, plan in single if c["row_label"] == label}
            for label in labels
        },
        dtype=float,
    )
    whole = means.dropna(axis="columns").rename(columns={k: k + m for k, m in marks.items()})
    left_out = [label for label in labels if means[label].isna().any()]
    return BySet(whole, left_out, config["title"], config["confidence"], config["seeds"])
