"""Models: a backbone trained by a recipe on a benchmark with a seed.

REQUIRED INPUTS: the benchmark's training images; for a detector its outliers, and which are kept;
for a zero-shot classifier CLIP as transformers saves it.
OUTPUTS: results/<world>/models/<benchmark>/<backbone>/<recipe>/seed<seed>/
"""


rule models:
    """Train a classifier or detector; goes on where a run of the same identity was stopped."""
    input:
        train=lambda wc: of.images_of(WORLD, wc, "train"),
        outliers=lambda wc: synthesis.detector_inputs(WORLD, wc)["outliers"],
        selection=lambda wc: synthesis.detector_inputs(WORLD, wc)["selection"],
    output:
        model=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors"),
        run=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors.run.json"),
        history=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/history.parquet"),
    log:
        logs("models/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    wildcard_constraints:
        recipe=of.recipes_that(WORLD, are_zero_shot=False),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["models"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "models"),
        runtime=partial(resources.minutes, WORLD, "models"),
        slurm_extra=resources.WARNING,
    params:
        spec=lambda wc: specs.models(WORLD, wc),
    shell:
        "python -m penumbra.stages.models --in train={input.train:q}"
        " outliers={input.outliers:q} selection={input.selection:q}"
        " --out model={output.model:q} history={output.history:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule zero_shot:
    """Make a classifier of CLIP's image encoder and the names of the classes."""
    input:
        train=lambda wc: of.images_of(WORLD, wc, "train"),
        clip=lambda wc: of.clip_files(WORLD, wc),
    output:
        model=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors"),
    log:
        logs("models/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    wildcard_constraints:
        recipe=of.recipes_that(WORLD, are_zero_shot=True),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["models"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "zero_shot"),
        runtime=partial(resources.minutes, WORLD, "zero_shot"),
    params:
        spec=lambda wc: specs.zero_shot(WORLD, wc),
    shell:
        "python -m penumbra.stages.zero_shot"
        " --in train={input.train:q} clip={input.clip:q} --out model={output.model:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
