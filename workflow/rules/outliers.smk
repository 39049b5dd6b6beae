"""Outlier sets: from training images to synthesised images, part by part.

REQUIRED INPUTS: images, or published weights under weights_root.
OUTPUTS: results/<world>/{parts,representations,embeddings,outliers,categories}/…
"""


rule parts:
    """Train a generative part on its images, or load its published checkpoint."""
    input:
        weights=outliers.weights,
        images=outliers.images,
        encoder=outliers.encoder,
        tokenizer=outliers.tokenizer,
        autoencoder=outliers.autoencoder,
        stable_diffusion=outliers.stable_diffusion,
        representations=outliers.representations,
    output:
        model=results("parts/{part}/model.safetensors"),
        history=results("parts/{part}/history.parquet"),
    log:
        logs("parts/{part}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["models"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("parts"),
        runtime=demands.minutes("parts"),
        slurm_extra=WARNING,
    params:
        spec=outliers.parts_spec,
    shell:
        "starter python -m penumbra.stages.parts"
        " --in weights={input.weights:q} images={input.images:q} encoder={input.encoder:q}"
        " tokenizer={input.tokenizer:q} autoencoder={input.autoencoder:q}"
        " stable_diffusion={input.stable_diffusion:q}"
        " representations={input.representations:q}"
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
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("representations"),
        runtime=demands.minutes("representations"),
    params:
        spec=outliers.representations_spec,
    shell:
        "starter python -m penumbra.stages.representations"
        " --in encoder={input.encoder:q} images={input.images:q}"
        " --out representations={output.representations:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule embeddings:
    """Sample outlier embeddings around training images."""
    input:
        representations=outliers.anchors,
        sampler=outliers.sampler,
    output:
        embeddings=results("embeddings/{benchmark}/{outliers}/{shard}.parquet"),
        run=results("embeddings/{benchmark}/{outliers}/{shard}.parquet.run.json"),
    log:
        logs("embeddings/{benchmark}/{outliers}/{shard}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("embeddings"),
        runtime=demands.minutes("embeddings"),
    params:
        spec=outliers.embeddings_spec,
    shell:
        "starter python -m penumbra.stages.embeddings"
        " --in representations={input.representations:q} sampler={input.sampler:q}"
        " --out embeddings={output.embeddings:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule outliers:
    """Make outliers: images of embeddings, images that need none, or images given."""
    input:
        embeddings=outliers.embeddings,
        train=outliers.train,
        given=outliers.given,
        generator=outliers.generator,
    output:
        outliers=results("outliers/{benchmark}/{outliers}/{shard}.parquet"),
        run=results("outliers/{benchmark}/{outliers}/{shard}.parquet.run.json"),
    log:
        logs("outliers/{benchmark}/{outliers}/{shard}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("outliers"),
        runtime=demands.minutes("outliers"),
    params:
        spec=outliers.outliers_spec,
    shell:
        "starter python -m penumbra.stages.outliers"
        " --in embeddings={input.embeddings:q} train={input.train:q} given={input.given:q}"
        " generator={input.generator:q}"
        " --out outliers={output.outliers:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule reconstructions:
    """Pass training images through the tokenizer that an outlier set comes out of."""
    input:
        train=outliers.train,
        generator=outliers.generator,
    output:
        images=results("reconstructions/{benchmark}/{outliers}.parquet"),
    log:
        logs("reconstructions/{benchmark}/{outliers}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("reconstructions"),
        runtime=demands.minutes("reconstructions"),
    params:
        spec=outliers.reconstructions_spec,
    shell:
        "starter python -m penumbra.stages.reconstructions"
        " --in train={input.train:q} generator={input.generator:q}"
        " --out images={output.images:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule shortcuts:
    """Measure how well colour and detail alone tell outliers from ID images."""
    input:
        train=outliers.told_apart,
        outliers=outliers.members,
    output:
        shortcuts=results("shortcuts/{benchmark}/{outliers}/{id_images}.parquet"),
    log:
        logs("shortcuts/{benchmark}/{outliers}/{id_images}.log"),
    wildcard_constraints:
        id_images="images|reconstructions",
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("shortcuts"),
        runtime=demands.minutes("shortcuts"),
    params:
        spec=outliers.shortcuts_spec,
    shell:
        "starter python -m penumbra.stages.shortcuts"
        " --in train={input.train:q} outliers={input.outliers:q}"
        " --out shortcuts={output.shortcuts:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule categories:
    """Sort a detector's outliers into categories, before and after the filter."""
    input:
        outliers=calibration.outliers,
        selection=results("selections/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
        train=models.train,
        recogniser=outliers.recogniser,
    output:
        categories=results("categories/{benchmark}/{backbone}/{recipe}/seed{seed}.parquet"),
    log:
        logs("categories/{benchmark}/{backbone}/{recipe}/seed{seed}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("categories"),
        runtime=demands.minutes("categories"),
    params:
        spec=outliers.categories_spec,
    shell:
        "starter python -m penumbra.stages.categories"
        " --in outliers={input.outliers:q} selection={input.selection:q} train={input.train:q}"
        " recogniser={input.recogniser:q} --out categories={output.categories:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
