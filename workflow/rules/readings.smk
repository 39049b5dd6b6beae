"""Readings of a model: its outputs, and statistics of its feature maps.

REQUIRED INPUTS: a model, the benchmark's images, for x + L the model that learned the map.
OUTPUTS: results/<world>/{outputs,statistics,accuracy,latency}/<model>/<input>…
"""


rule outputs:
    """Logits and features of training, held-out, test and OOD images."""
    name:
        sharding.job(WORLD, "outputs")
    input:
        model=lambda wc: of.model(WORLD, wc),
        map=lambda wc: of.universal_map(WORLD, wc),
        images=lambda wc: of.all_images(WORLD, wc) + of.heldout_images(WORLD, wc),
    output:
        outputs=sharding.made(WORLD, "outputs"),
    log:
        sharding.log(WORLD, "outputs"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "outputs"),
        runtime=partial(resources.minutes, WORLD, "outputs"),
        share=100,
    params:
        spec=lambda wc: specs.reading(WORLD, "outputs", wc),
    shell:
        "python -m penumbra.stages.outputs"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " --out outputs={output.outputs:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule statistics:
    """Statistics of one block's channels on test and OOD images."""
    name:
        sharding.job(WORLD, "statistics")
    input:
        model=lambda wc: of.model(WORLD, wc),
        map=lambda wc: of.universal_map(WORLD, wc),
        images=lambda wc: of.all_images(WORLD, wc),
    output:
        statistics=sharding.made(WORLD, "statistics"),
        blocks=sharding.made(WORLD, "blocks"),
    log:
        sharding.log(WORLD, "statistics"),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "statistics"),
        runtime=partial(resources.minutes, WORLD, "statistics"),
        share=100,
    params:
        spec=lambda wc: specs.reading(WORLD, "statistics", wc),
    shell:
        "python -m penumbra.stages.statistics"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " --out statistics={output.statistics:q} blocks={output.blocks:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule accuracy:
    """Share of right predictions by image set."""
    input:
        outputs=results("outputs/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
    output:
        accuracy=results("accuracy/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
    log:
        logs("accuracy/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "accuracy"),
        runtime=partial(resources.minutes, WORLD, "accuracy"),
        share=25,
    params:
        spec=lambda wc: specs.spec("accuracy", {}, [], wc),
    shell:
        "python -m penumbra.stages.accuracy"
        " --in outputs={input.outputs:q} --out accuracy={output.accuracy:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule latency:
    """Seconds per image of a scorer of a block, from pixels to score."""
    input:
        model=lambda wc: of.model(WORLD, wc),
        map=lambda wc: of.universal_map(WORLD, wc),
        blocks=lambda wc: of.blocks(WORLD, wc),
        test=lambda wc: of.images_of(WORLD, wc, "test"),
    output:
        latency=results(
            "latency/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.parquet"
        ),
    log:
        logs("latency/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    conda:
        "../../envs/penumbra.yaml"
    # All cores, so that no other job runs beside the clock.
    threads: of.all_cores(workflow)
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "latency"),
        runtime=partial(resources.minutes, WORLD, "latency"),
    params:
        spec=lambda wc: score_specs.latency(WORLD, wc),
    shell:
        "python -m penumbra.stages.latency"
        " --in model={input.model:q} map={input.map:q} blocks={input.blocks:q} test={input.test:q}"
        " --out latency={output.latency:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


# Only worlds with shards have these rules; in others one job writes the whole.
for kind in sharding.gathered(WORLD):

    rule:
        """Put the shards of a reading together, as one job would have written them."""
        name:
            f"gather_{kind.replace('-', '_')}"
        input:
            shards=partial(sharding.shards, WORLD, kind),
        output:
            whole=sharding.whole(WORLD, kind),
        log:
            sharding.gather_log(WORLD, kind),
        wildcard_constraints:
            scorer=of.scorers_that(WORLD, of_network=True),
        conda:
            "../../envs/penumbra.yaml"
        resources:
            mem_mb=partial(resources.mem_mb, WORLD, "gather"),
            runtime=partial(resources.minutes, WORLD, "gather"),
            share=25,
        params:
            spec=partial(sharding.gather, WORLD, kind),
        shell:
            "python -m penumbra.stages.gather --in shards={input.shards:q}"
            " --out whole={output.whole:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
