"""Metrics: scores of a model -> detection metrics by scorer and OOD image set, and their draws."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from penumbra.evaluation.detection import Row, detection
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.read import Read
from penumbra.store.artifacts import provenance_of, read_parquet, write_parquet
from penumbra.store.columns import column, groups, numbers, table, vectors


def run(job: Job) -> None:
    """All scorers of one model and input, each OOD image set against the test set."""
    both = [pair for file in job.inputs["scores"] for pair in _detected(file)]
    write_parquet(job.outputs["metrics"], table([row for row, _ in both]), job.provenance())
    drawn = _table_of_draws([draws for _, draws in both])
    write_parquet(job.outputs["draws"], drawn, job.provenance())
    job.record(job.outputs["metrics"])


def _detected(file: Path) -> list[tuple[Row, Row]]:
    """Metrics of one scorer with the block that its scores are of, and their draws."""
    block = _block(file)
    return [(row | block, draws) for row, draws in detection(file.stem, *_read(file))]


def _read(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Scores and role of each image set."""
    by_name = dict(groups(read_parquet(file), "image_set"))
    scores = {name: numbers(rows["score"]) for name, rows in by_name.items()}
    return scores, {name: rows["role"][0].as_py() for name, rows in by_name.items()}


def _block(file: Path) -> dict[str, str]:
    """The block that the scores are of; empty where they read none."""
    made = provenance_of(file)
    return {key: made.get(key, "") for key in Read._fields}


def _table_of_draws(rows: list[Row]) -> pa.Table:
    names = {key: column([row[key] for row in rows]) for key in ("scorer", "image_set")}
    drawn = [key for key in rows[0] if key not in names]
    return pa.table(names | {key: vectors(np.stack([row[key] for row in rows])) for key in drawn})


if __name__ == "__main__":
    main(run)
