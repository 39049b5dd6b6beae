"""Selection: the judges' P(ID) of the outliers -> which of them the filter keeps."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from penumbra.calibration.crossfit import judged
from penumbra.calibration.selection import select
from penumbra.options.filter import Filter
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main, seeded
from penumbra.store.artifacts import dumps, read_parquet, write_parquet
from penumbra.store.columns import column, numbers
from penumbra.store.notes import noted


def run(job: Job) -> None:
    """Join what each judge says of the outliers that it may judge, then filter."""
    config, files, q = job.config, job.inputs["scored"], None
    if config["judges"]:
        folds = config["judges"].items()
        each = zip(folds, map(_scored, files), strict=True)
        names, q = judged((*judge, *scored) for judge, scored in each)
    else:
        shards = (read_parquet(file, ["outlier"]) for file in files)
        names = [name for rows in shards for name in rows["outlier"].to_pylist()]
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


def _scored(file: Path) -> tuple[list[str], np.ndarray]:
    """Names (N,) of the outliers that a judge scored, and q (N,)."""
    rows = read_parquet(file, ["role", "outlier", "q"])
    outliers = np.flatnonzero([role == "outlier" for role in rows["role"].to_pylist()])
    names = rows["outlier"].to_pylist()
    return [names[i] for i in outliers], numbers(rows["q"])[outliers]


if __name__ == "__main__":
    main(run)
