"""Calibration: a detector's energies -> parameters, P(ID) of every row, quality, and a diagram."""

import numpy as np

from penumbra.calibration.fitted import calibrated
from penumbra.calibration.inputs import COLUMNS
from penumbra.plugins import load
from penumbra.reporting.reliability import draw
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import dumps, read_parquet, write_parquet
from penumbra.store.columns import column, numbers


def run(job: Job) -> None:
    """Fit on held-out ID and calibration OOD (badood, Algorithm 1), apply to the outliers too."""
    config = job.config
    module = load("calibration.maps", config["module"])
    rows = read_parquet(job.input("energies"))
    roles = np.array(rows["role"].to_pylist())
    energies = numbers(rows[COLUMNS[config["input"]]])
    seed = derive("calibration", *job.wildcards.values())
    q, summary = calibrated(module, energies, roles, config, seed)
    job.report(
        f"ECE {summary['quality']['ece_width']:.4f}, on held-out halves "
        f"{summary['held_out']['ece_width']:.4f}"
    )
    names = ("image_set", "role", "outlier", "label", "energy")
    table = rows.select(names).append_column("q", column(q))
    table = table.replace_schema_metadata({"calibration": dumps(summary)})
    title = "/".join(job.wildcards[key] for key in ("recipe", "calibration"))
    draw(
        summary,
        {role: q[roles == role] for role in dict.fromkeys(roles)},
        title,
        job.outputs["diagram"],
    )
    write_parquet(job.outputs["calibration"], table, job.provenance())
    job.record(job.outputs["calibration"])


if __name__ == "__main__":
    main(run)
