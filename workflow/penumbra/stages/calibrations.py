"""Calibration: a detector's energies -> parameters, P(ID) of every row, quality, and a diagram."""

from functools import partial

import numpy as np

from penumbra.calibration.inputs import COLUMNS
from penumbra.calibration.prior import under
from penumbra.calibration.quality import held_out, quality, reliability
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
    values = numbers(rows[COLUMNS[config["input"]]])
    seen, is_id = roles != "outlier", roles == "heldout"
    fit = partial(module.fit, input=config["input"], **config.get("options", {}))
    parameters = fit(values[seen], is_id[seen])
    fitted = module.probability(values, parameters)
    n_id, n_ood = int(is_id.sum()), int((roles == "calibration_ood").sum())
    q = under(config["prior"], fitted, n_id, n_ood)
    keys = [f"{role}/{i}" for i, role in enumerate(roles[seen])]
    seed = derive("calibration", *job.wildcards.values())
    summary = {
        "parameters": parameters,
        "n_id": n_id,
        "n_ood": n_ood,
        "quality": quality(fitted[seen], is_id[seen]),
        "held_out": held_out(keys, values[seen], is_id[seen], fit, module.probability, seed),
        "reliability": reliability(fitted[seen], is_id[seen]),
    }
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
