"""Calibration: a detector's energies to P(ID), and which outliers the filter keeps.

REQUIRED INPUTS: a detector, held-out ID images, calibration OOD images, its outlier set.
OUTPUTS: results/<world>/{energies,calibrations,selections}/<model>…
"""


rule energies:
    """Score held-out ID, calibration OOD and outliers by a detector."""
    input:
        model=readings.model,
        images=calibration.images,
        outliers=calibration.outliers,
    output:
        energies=results("energies/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("energies/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("energies"),
        runtime=demands.minutes("energies"),
    params:
        spec=calibration.energies_spec,
    shell:
        "starter python -m penumbra.stages.energies"
        " --in model={input.model:q} images={input.images:q} outliers={input.outliers:q}"
        " --out energies={output.energies:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule calibrations:
    """Fit the map from a detector's energies to P(ID)."""
    input:
        energies=results("energies/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    output:
        calibration=results(
            "calibrations/{benchmark}/{backbone}/{recipe}/seed{seed}/{calibration}.parquet"
        ),
        diagram=report(
            results("calibrations/{benchmark}/{backbone}/{recipe}/seed{seed}/{calibration}.png"),
            category="Reliability",
            labels={"model": "{recipe}, seed {seed}", "calibration": "{calibration}"},
        ),
    log:
        logs("calibrations/{benchmark}/{backbone}/{recipe}/seed{seed}/{calibration}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("calibrations"),
        runtime=demands.minutes("calibrations"),
    params:
        spec=calibration.calibrations_spec,
    shell:
        "starter python -m penumbra.stages.calibrations"
        " --in energies={input.energies:q}"
        " --out calibration={output.calibration:q} diagram={output.diagram:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule selections:
    """Choose the outliers that a filter keeps."""
    input:
        scored=calibration.scored,
    output:
        selection=results("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("selections"),
        runtime=demands.minutes("selections"),
    params:
        spec=calibration.selections_spec,
    shell:
        "starter python -m penumbra.stages.selections"
        " --in scored={input.scored:q} --out selection={output.selection:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
