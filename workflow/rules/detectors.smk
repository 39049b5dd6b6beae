"""Detectors to take away: network, scorer, and what turns its scores into decisions, in one file.

REQUIRED INPUTS: a model, the scorer's fit, held-out ID images, calibration OOD images if any.
OUTPUTS: results/<world>/detectors/<model>/<input>/<scorer>.safetensors
"""


rule detectors:
    """Put a model and a scorer into one file, with its scores of held-out ID images."""
    input:
        model=readings.model,
        map=readings.map,
        images=detectors.images,
        fitted=scores.fitted,
        blocks=detectors.blocks,
    output:
        detector=results(
            "detectors/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.safetensors"
        ),
    log:
        logs("detectors/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("detectors"),
        runtime=demands.minutes("detectors"),
        share=100,
    params:
        spec=detectors.spec,
    shell:
        "starter python -m penumbra.stages.detectors"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " fitted={input.fitted:q} blocks={input.blocks:q}"
        " --out detector={output.detector:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
