"""Outlier sets: from training images to synthesised images, part by part.

REQUIRED INPUTS: images, or published weights under weights_root.
OUTPUTS: results/<world>/{parts,representations,embeddings,outliers,categories}/…
"""


rule parts:
    """Train a generative part on its images, or load its published checkpoint."""
    input:
        weights=lambda wc: synthesis.part_inputs(WORLD, wc.part, "weights"),
        images=lambda wc: synthesis.part_inputs(WORLD, wc.part, "images"),
        encoder=lambda wc: synthesis.part_inputs(WORLD, wc.part, "encoder"),
        tokenizer=lambda wc: synthesis.part_inputs(WORLD, wc.part, "tokenizer"),
        representations=lambda wc: synthesis.part_inputs(WORLD, wc.part, "representations"),
    output:
        model=results("parts/{part}/model.safetensors"),
        history=results("parts/{part}/history.parquet"),
    log:
        logs("parts/{part}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["models"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "parts"),
        runtime=partial(resources.minutes, WORLD, "parts"),
        slurm_extra=resources.WARNING,
    params:
        spec=lambda wc: synthesis_specs.parts(WORLD, wc.part),
    shell:
        "python -m penumbra.stages.parts"
        " --in weights={input.weights:q} images={input.images:q} encoder={input.encoder:q}"
        " tokenizer={input.tokenizer:q} representations={input.representations:q}"
        " --out model={output.model:q} history={output.history:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule representations:
    """Apply an encoder to an image set."""
    input:
        encoder=results("parts/{part}/model.safetensors"),
        images=results("images/{image_set}.parquet"),
    output:
        representations=results("representations/{part}/{image_set}.parquet"),
        run=results("representations/{part}/{image_set}.parquet.run.json"),
    log:
        logs("representations/{part}/{image_set}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "representations"),
        runtime=partial(resources.minutes, WORLD, "representations"),
    params:
        spec=lambda wc: synthesis_specs.representations(WORLD, wc),
    shell:
        "python -m penumbra.stages.representations"
        " --in encoder={input.encoder:q} images={input.images:q}"
        " --out representations={output.representations:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule embeddings:
    """Sample outlier embeddings around training images by minority guidance."""
    input:
        representations=lambda wc: of.outlier_parts(WORLD, wc)["representations"],
        rdm=lambda wc: of.outlier_parts(WORLD, wc)["rdm"],
    output:
        embeddings=results("embeddings/{benchmark}/{outliers}/{shard}.parquet"),
        run=results("embeddings/{benchmark}/{outliers}/{shard}.parquet.run.json"),
    log:
        logs("embeddings/{benchmark}/{outliers}/{shard}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "embeddings"),
        runtime=partial(resources.minutes, WORLD, "embeddings"),
    params:
        spec=lambda wc: synthesis_specs.embeddings(WORLD, wc),
    shell:
        "python -m penumbra.stages.embeddings"
        " --in representations={input.representations:q} rdm={input.rdm:q}"
        " --out embeddings={output.embeddings:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule outliers:
    """Turn outlier embeddings into images."""
    input:
        embeddings=results("embeddings/{benchmark}/{outliers}/{shard}.parquet"),
        generator=lambda wc: of.outlier_parts(WORLD, wc)["generator"],
    output:
        outliers=results("outliers/{benchmark}/{outliers}/{shard}.parquet"),
        run=results("outliers/{benchmark}/{outliers}/{shard}.parquet.run.json"),
    log:
        logs("outliers/{benchmark}/{outliers}/{shard}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "outliers"),
        runtime=partial(resources.minutes, WORLD, "outliers"),
    params:
        spec=lambda wc: synthesis_specs.outliers(WORLD, wc),
    shell:
        "python -m penumbra.stages.outliers"
        " --in embeddings={input.embeddings:q} generator={input.generator:q}"
        " --out outliers={output.outliers:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule categories:
    """Sort a detector's outliers into categories, before and after the filter."""
    input:
        outliers=lambda wc: synthesis.detector_inputs(WORLD, wc)["outliers"],
        selection=results("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
        train=lambda wc: of.images_of(WORLD, wc, "train"),
        judge=lambda wc: of.category_judge(WORLD, wc),
    output:
        categories=results("categories/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("categories/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "categories"),
        runtime=partial(resources.minutes, WORLD, "categories"),
    params:
        spec=lambda wc: synthesis_specs.categories(WORLD, wc),
    shell:
        "python -m penumbra.stages.categories"
        " --in outliers={input.outliers:q} selection={input.selection:q} train={input.train:q}"
        " judge={input.judge:q} --out categories={output.categories:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
