"""Calibration: a detector's energies to P(ID), and which outliers the filter keeps.

REQUIRED INPUTS: a detector, held-out ID images, calibration OOD images, its outlier set.
OUTPUTS: results/<world>/{energies,calibrations,selections}/<model>…
"""


rule energies:
    """Score held-out ID, calibration OOD and outliers by a detector."""
    input:
        model=lambda wc: of.model(WORLD, wc),
        images=lambda wc: synthesis.energies_images(WORLD, wc),
        outliers=lambda wc: synthesis.detector_inputs(WORLD, wc)["outliers"],
    output:
        energies=results("energies/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("energies/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "energies"),
        runtime=partial(resources.minutes, WORLD, "energies"),
    params:
        spec=lambda wc: synthesis_specs.energies(WORLD, wc),
    shell:
        "python -m penumbra.stages.energies"
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
        mem_mb=partial(resources.mem_mb, WORLD, "calibrations"),
        runtime=partial(resources.minutes, WORLD, "calibrations"),
    params:
        spec=lambda wc: synthesis_specs.calibrations(WORLD, wc),
    shell:
        "python -m penumbra.stages.calibrations"
        " --in energies={input.energies:q}"
        " --out calibration={output.calibration:q} diagram={output.diagram:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule selections:
    """Choose the outliers that a filter keeps."""
    input:
        scored=lambda wc: synthesis.selection_inputs(WORLD, wc),
    output:
        selection=results("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "selections"),
        runtime=partial(resources.minutes, WORLD, "selections"),
    params:
        spec=lambda wc: synthesis_specs.selections(WORLD, wc),
    shell:
        "python -m penumbra.stages.selections"
        " --in scored={input.scored:q} --out selection={output.selection:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
