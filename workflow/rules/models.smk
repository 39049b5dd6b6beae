"""Models: a backbone trained by a recipe on a benchmark with a seed.

REQUIRED INPUTS: the benchmark's training images; for a detector its outliers, and which are kept;
for a classifier out of CLIP that as transformers saves it; for a given one its weights.
OUTPUTS: results/<world>/models/<benchmark>/<backbone>/<recipe>/seed<seed>/
"""


rule models:
    """Train a classifier or detector; goes on where a run of the same identity was stopped."""
    input:
        train=models.train,
        outliers=models.outliers,
        selection=models.selection,
        clip=models.prompted,
    output:
        model=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors"),
        run=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors.run.json"),
        history=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/history.parquet"),
    log:
        logs("models/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    wildcard_constraints:
        recipe=models.recipes(),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["models"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("models"),
        runtime=demands.minutes("models"),
        slurm_extra=WARNING,
    params:
        spec=models.spec,
    shell:
        "starter python -m penumbra.stages.models --in train={input.train:q}"
        " outliers={input.outliers:q} selection={input.selection:q} clip={input.clip:q}"
        " --out model={output.model:q} history={output.history:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule zero_shot:
    """Make a classifier of CLIP's image encoder and the names of the classes."""
    input:
        train=models.train,
        clip=models.clip,
    output:
        model=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors"),
    log:
        logs("models/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    wildcard_constraints:
        recipe=models.recipes("zero_shot"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["models"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("zero_shot"),
        runtime=demands.minutes("zero_shot"),
    params:
        spec=models.zero_shot_spec,
    shell:
        "starter python -m penumbra.stages.zero_shot"
        " --in train={input.train:q} clip={input.clip:q} --out model={output.model:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule pretrained:
    """Take up a classifier that was trained elsewhere."""
    input:
        train=models.train,
        weights=models.weights,
        classes=models.classes,
    output:
        model=results("models/{benchmark}/{backbone}/{recipe}/seed{seed}/model.safetensors"),
    log:
        logs("models/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    wildcard_constraints:
        recipe=models.recipes("pretrained"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["models"]
    resources:
        mem_mb=demands.mem_mb("pretrained"),
        runtime=demands.minutes("pretrained"),
    params:
        spec=models.pretrained_spec,
    shell:
        "starter python -m penumbra.stages.pretrained"
        " --in train={input.train:q} weights={input.weights:q} classes={input.classes:q}"
        " --out model={output.model:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
