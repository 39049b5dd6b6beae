"""Metrics: scores of a model -> detection metrics by scorer and OOD image set, and their draws."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from penumbra.evaluation.metrics import Compared, bounds, measured, metrics
from penumbra.evaluation.resampling import image_draws
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import column, groups, numbers, table, vectors

Row = dict[str, Any]


def run(job: Job) -> None:
    """All scorers of one model and input, each OOD image set against the test set."""
    both = [pair for file in job.inputs["scores"] for pair in of_scorer(file)]
    write_parquet(job.outputs["metrics"], table([row for row, _ in both]), job.provenance())
    drawn = _table_of_draws([draws for _, draws in both])
    write_parquet(job.outputs["draws"], drawn, job.provenance())
    job.record(job.outputs["metrics"])


def of_scorer(file: Path) -> Iterator[tuple[Row, Row]]:
    """By OOD image set: metrics of the scorer that the file is named after, bounds, and draws.

    Draws are the same metrics, each (DRAWS,), of resampled images.
    """
    by_name = dict(groups(read_parquet(file), "image_set"))
    scores = {name: numbers(rows["score"]) for name, rows in by_name.items()}
    roles = {name: rows["role"][0].as_py() for name, rows in by_name.items()}
    (test,) = (name for name, role in roles.items() if role == "test")
    shifted = [name for name, role in roles.items() if role == "shifted"]
    for ood in (name for name, role in roles.items() if role == "ood"):
        where = f"{file.stem} on {ood}"
        moved = np.concatenate([scores[name] for name in shifted]) if shifted else None
        named = {"scorer": file.stem, "image_set": ood}
        counts = {"n_id": len(scores[test]), "n_ood": len(scores[ood])}
        row = {**named, **counts, **metrics(scores[test], scores[ood], where, moved)}
        row |= bounds(scores[test], scores[ood])
        yield row, {**named, **_draws(scores, test, shifted, ood)}


def _draws(
    scores: dict[str, np.ndarray], test: str, shifted: list[str], ood: str
) -> dict[str, np.ndarray]:
    def compared(names: list[str]) -> Compared:
        """Images of these ID sets against the OOD set, each set drawn from itself."""
        of_id = np.concatenate([image_draws(name, len(scores[name])) for name in names], axis=1)
        drawn = of_id, image_draws(ood, len(scores[ood]))
        together = np.concatenate([scores[name] for name in names])
        return Compared(together, scores[ood], ood, drawn)

    plain = compared([test])
    return measured(plain, compared([test, *shifted]) if shifted else plain)


def _table_of_draws(rows: list[Row]) -> pa.Table:
    names = {key: column([row[key] for row in rows]) for key in ("scorer", "image_set")}
    drawn = [key for key in rows[0] if key not in names]
    return pa.table(names | {key: vectors(np.stack([row[key] for row in rows])) for key in drawn})


if __name__ == "__main__":
    main(run)
