"""Outlier sets: from training images to synthesised images, part by part.

REQUIRED INPUTS: images, or published weights under weights_root.
OUTPUTS: results/<world>/{parts,representations,embeddings,outliers,categories}/…
"""


rule parts:
    input:
        weights=lambda wc: synthesis.part_inputs(WORLD, wc.part, "weights"),
        images=lambda wc: synthesis.part_inputs(WORLD, wc.part, "images"),
        encoder=lambda wc: synthesis.part_inputs(WORLD, wc.part, "encoder"),
        tokenizer=lambda wc: synthesis.part_inputs(WORLD, wc.part, "tokenizer"),
        representations=lambda wc: synthesis.part_inputs(WORLD, wc.part, "representations"),
    output:
        model=pattern(WORLD.name, "parts"),
        history=pattern(WORLD.name, "part-history"),
    log:
        "logs/parts/{part}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["models"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "parts"),
        runtime=partial(demands.minutes, WORLD, "parts"),
        slurm_extra=demands.WARNING,
    params:
        spec=lambda wc: synthesis_specs.parts(WORLD, wc.part),
    shell:
        "python -m penumbra.stages.parts"
        " --in weights={input.weights:q} images={input.images:q} encoder={input.encoder:q}"
        " tokenizer={input.tokenizer:q} representations={input.representations:q}"
        " --out model={output.model:q} history={output.history:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule representations:
    input:
        encoder=pattern(WORLD.name, "parts"),
        images=pattern(WORLD.name, "images"),
    output:
        representations=pattern(WORLD.name, "representations"),
        run=pattern(WORLD.name, "representations-run"),
    log:
        "logs/representations/{part}/{image_set}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "representations"),
        runtime=partial(demands.minutes, WORLD, "representations"),
    params:
        spec=lambda wc: synthesis_specs.representations(WORLD, wc),
    shell:
        "python -m penumbra.stages.representations"
        " --in encoder={input.encoder:q} images={input.images:q}"
        " --out representations={output.representations:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule embeddings:
    input:
        representations=lambda wc: of.outlier_parts(WORLD, wc)["representations"],
        rdm=lambda wc: of.outlier_parts(WORLD, wc)["rdm"],
    output:
        embeddings=pattern(WORLD.name, "embeddings"),
        run=pattern(WORLD.name, "embeddings-run"),
    log:
        "logs/embeddings/{benchmark}/{outliers}/{shard}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "embeddings"),
        runtime=partial(demands.minutes, WORLD, "embeddings"),
    params:
        spec=lambda wc: synthesis_specs.embeddings(WORLD, wc),
    shell:
        "python -m penumbra.stages.embeddings"
        " --in representations={input.representations:q} rdm={input.rdm:q}"
        " --out embeddings={output.embeddings:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule outliers:
    input:
        embeddings=pattern(WORLD.name, "embeddings"),
        generator=lambda wc: of.outlier_parts(WORLD, wc)["generator"],
    output:
        outliers=pattern(WORLD.name, "outliers"),
        run=pattern(WORLD.name, "outliers-run"),
    log:
        "logs/outliers/{benchmark}/{outliers}/{shard}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "outliers"),
        runtime=partial(demands.minutes, WORLD, "outliers"),
    params:
        spec=lambda wc: synthesis_specs.outliers(WORLD, wc),
    shell:
        "python -m penumbra.stages.outliers"
        " --in embeddings={input.embeddings:q} generator={input.generator:q}"
        " --out outliers={output.outliers:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule categories:
    input:
        outliers=lambda wc: synthesis.own_outliers(WORLD, wc),
        selection=pattern(WORLD.name, "selections"),
        train=lambda wc: of.images_of(WORLD, wc, "train"),
        judge=lambda wc: of.category_judge(WORLD, wc),
    output:
        categories=pattern(WORLD.name, "categories"),
    log:
        "logs/categories/{benchmark}/{backbone}/{recipe}/seed{seed}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(demands.mem_mb, WORLD, "detected"),
        runtime=partial(demands.minutes, WORLD, "detected"),
    params:
        spec=lambda wc: synthesis_specs.categories(WORLD, wc),
    shell:
        "python -m penumbra.stages.categories"
        " --in outliers={input.outliers:q} selection={input.selection:q} train={input.train:q}"
        " judge={input.judge:q} --out categories={output.categories:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
