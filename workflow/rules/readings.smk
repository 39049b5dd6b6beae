"""Readings of a model: its outputs, and statistics of its feature maps.

REQUIRED INPUTS: a model, the benchmark's images, for x + L the model that learned the map.
OUTPUTS: results/<world>/{outputs,statistics,accuracy,theory,latency}/<model>/<input>…, blocks/<recipe>
"""


rule outputs:
    """Logits and features of training, held-out, test and OOD images."""
    name:
        shards.rule("outputs")
    input:
        model=readings.model,
        map=readings.map,
        images=readings.all_images,
    output:
        outputs=shards.made("outputs"),
    log:
        shards.log("outputs"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("outputs"),
        runtime=demands.minutes("outputs"),
        share=100,
    params:
        spec=readings.outputs_spec,
    shell:
        "starter python -m penumbra.stages.outputs"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " --out outputs={output.outputs:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule blocks:
    """The block that norm ratios choose, once for all seeds of a recipe."""
    input:
        model=readings.voter,
        train=readings.voters,
    output:
        blocks=results("blocks/{benchmark}/{backbone}/{recipe}.parquet"),
    log:
        logs("blocks/{benchmark}/{backbone}/{recipe}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("blocks"),
        runtime=demands.minutes("blocks"),
        share=100,
    params:
        spec=readings.blocks_spec,
    shell:
        "starter python -m penumbra.stages.blocks"
        " --in model={input.model:q} train={input.train:q}"
        " --out blocks={output.blocks:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule statistics:
    """Statistics of one block's channels on test and OOD images."""
    name:
        shards.rule("statistics")
    input:
        model=readings.model,
        map=readings.map,
        images=readings.images,
        blocks=readings.blocks,
    output:
        statistics=shards.made("statistics"),
    log:
        shards.log("statistics"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("statistics"),
        runtime=demands.minutes("statistics"),
        share=100,
    params:
        spec=readings.statistics_spec,
    shell:
        "starter python -m penumbra.stages.statistics"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " blocks={input.blocks:q}"
        " --out statistics={output.statistics:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


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
        mem_mb=demands.mem_mb("accuracy"),
        runtime=demands.minutes("accuracy"),
        share=25,
    params:
        spec=readings.accuracy_spec,
    shell:
        "starter python -m penumbra.stages.accuracy"
        " --in outputs={input.outputs:q} --out accuracy={output.accuracy:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule theory:
    """What the UAT paper's lemmas say of features and class weights, on test images."""
    input:
        outputs=results("outputs/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
        model=readings.model,
    output:
        theory=results("theory/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
    log:
        logs("theory/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("theory"),
        runtime=demands.minutes("theory"),
        share=25,
    params:
        spec=readings.theory_spec,
    shell:
        "starter python -m penumbra.stages.theory"
        " --in outputs={input.outputs:q} model={input.model:q}"
        " --out theory={output.theory:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule latency:
    """Seconds per image of a scorer of a block, from pixels to score."""
    input:
        model=readings.model,
        map=readings.map,
        blocks=scores.timed_block,
        test=scores.timed_images,
    output:
        latency=results(
            "latency/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.parquet"
        ),
    log:
        logs("latency/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    conda:
        "../../envs/penumbra.yaml"
    # All cores, so that no other job of this call runs beside the clock; a cluster has other users.
    threads: workflow.resource_settings.cores or COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("latency"),
        runtime=demands.minutes("latency"),
    params:
        spec=scores.latency_spec,
    shell:
        "starter python -m penumbra.stages.latency"
        " --in model={input.model:q} map={input.map:q} blocks={input.blocks:q} test={input.test:q}"
        " --out latency={output.latency:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


# Only worlds with shards have these rules; in others one job writes the whole.
for kind in shards.kinds:

    rule:
        """Put the shards of a reading together, as one job would have written them."""
        name:
            f"gather_{kind.replace('-', '_')}"
        input:
            shards=partial(shards.parts, kind),
        output:
            whole=shards.whole(kind),
        log:
            shards.gather_log(kind),
        wildcard_constraints:
            scorer=scores.scorers(of_network=True),
        conda:
            "../../envs/penumbra.yaml"
        resources:
            mem_mb=demands.mem_mb("gather"),
            runtime=demands.minutes("gather"),
            share=25,
        params:
            spec=partial(shards.spec, kind),
        shell:
            "starter python -m penumbra.stages.gather --in shards={input.shards:q}"
            " --out whole={output.whole:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
