"""Selection: the judges' P(ID) of the outliers -> which of them the filter keeps."""

from typing import Any

import numpy as np
import pyarrow as pa

from penumbra.calibration.crossfit import fold_of, join
from penumbra.calibration.selection import select
from penumbra.options.filter import Filter
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main, seeded
from penumbra.store.artifacts import dumps, read_parquet, write_parquet
from penumbra.store.columns import column, numbers
from penumbra.store.notes import noted


def run(job: Job) -> None:
    """Join what each judge says of the outliers that it may judge, then filter."""
    config = job.config
    if config["judges"]:
        names, q = judged(job)
    else:
        names, q = [n for path in job.inputs["scored"] for n in _names(path)], None
    seed = derive("selection", config["outliers"], job.wildcards["seed"])
    selection = select(names, q, Filter.of(config["options"]), seed)
    note = selection.note and f"seed {job.wildcards['seed']}: {selection.note}"
    job.report(f"{selection.kept.sum()} of {len(names)} outliers kept{'; ' + note if note else ''}")
    columns = {"outlier": column(names), "kept": column(selection.kept)}
    if q is not None:
        columns["q"] = column(q)
    meta = {"histogram": dumps(selection.histogram), **noted(note)}
    table = pa.table(columns).replace_schema_metadata(meta)
    write_parquet(job.outputs["selection"], table, seeded(job.provenance(), seed))
    job.record(job.outputs["selection"])


def judged(job: Job) -> tuple[list[str], np.ndarray]:
    """Names (N,) of all outliers and q (N,), each by the judge that did not train on its fold."""
    parts: dict[str, tuple[list[str], np.ndarray]] = {}
    every: list[str] = []
    for (judge, fold), path in zip(job.config["judges"].items(), job.inputs["scored"], strict=True):
        names, q = _scored(read_parquet(path, ["role", "outlier", "q"]))
        every = every or names
        own = np.ones(len(names), bool) if fold is None else fold_of(names, fold[1]) == fold[0]
        parts[judge] = ([name for name, mine in zip(names, own, strict=True) if mine], q[own])
    return every, join(every, parts)


def _scored(rows: pa.Table) -> tuple[list[str], np.ndarray]:
    outlier = np.array(rows["role"].to_pylist()) == "outlier"
    names = rows["outlier"].to_pylist()
    return [names[i] for i in np.flatnonzero(outlier)], numbers(rows["q"])[outlier]


def _names(path: Any) -> list[str]:
    return read_parquet(path, ["outlier"])["outlier"].to_pylist()


if __name__ == "__main__":
    main(run)
