"""Calibration: a detector's energies to P(ID), and which outliers the filter keeps.

REQUIRED INPUTS: a detector, held-out ID images, calibration OOD images, its outlier set.
OUTPUTS: results/<world>/{energies,calibrations,selections}/<model>…
"""


rule energies:
    input:
        model=lambda wc: of.model(WORLD, wc),
        images=lambda wc: synthesis.energies_images(WORLD, wc),
        outliers=lambda wc: synthesis.own_outliers(WORLD, wc),
    output:
        energies=pattern(WORLD.name, "energies"),
    log:
        "logs/energies/{benchmark}/{backbone}/{recipe}/seed{seed}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "detected"),
        runtime=partial(demands.minutes, WORLD, "detected"),
    params:
        spec=lambda wc: synthesis_specs.energies(WORLD, wc),
    shell:
        "python -m penumbra.stages.energies"
        " --in model={input.model:q} images={input.images:q} outliers={input.outliers:q}"
        " --out energies={output.energies:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule calibrations:
    input:
        energies=pattern(WORLD.name, "energies"),
    output:
        calibration=pattern(WORLD.name, "calibrations"),
        diagram=report(
            pattern(WORLD.name, "reliability"),
            category="Reliability",
            labels={"model": "{recipe}, seed {seed}", "calibration": "{calibration}"},
        ),
    log:
        "logs/calibrations/{benchmark}/{backbone}/{recipe}/seed{seed}/{calibration}.log",
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(demands.mem_mb, WORLD, "small"),
        runtime=partial(demands.minutes, WORLD, "small"),
    params:
        spec=lambda wc: synthesis_specs.calibrations(WORLD, wc),
    shell:
        "python -m penumbra.stages.calibrations"
        " --in energies={input.energies:q}"
        " --out calibration={output.calibration:q} diagram={output.diagram:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule selections:
    input:
        scored=lambda wc: synthesis.selection_inputs(WORLD, wc),
    output:
        selection=pattern(WORLD.name, "selections"),
    log:
        "logs/selections/{benchmark}/{backbone}/{recipe}/seed{seed}.log",
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(demands.mem_mb, WORLD, "small"),
        runtime=partial(demands.minutes, WORLD, "small"),
    params:
        spec=lambda wc: synthesis_specs.selections(WORLD, wc),
    shell:
        "python -m penumbra.stages.selections"
        " --in scored={input.scored:q} --out selection={output.selection:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
