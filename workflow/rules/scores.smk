"""Scores of images under a model by one scorer, what the scorer is fitted to, and the metrics.

REQUIRED INPUTS: the reading of the model that the scorer needs, or the model and the images.
OUTPUTS: results/<world>/{fits,scores,metrics}/<model>/<input>/<scorer>…
"""


rule fits:
    """Fit a scorer on outputs of ID images."""
    input:
        outputs=results("outputs/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
        second=scores.second,
        head=scores.fit_head,
    output:
        fitted=results(
            "fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.safetensors"
        ),
    log:
        logs("fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=scores.fitted_scorers(through_network=False),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("fits"),
        runtime=demands.minutes("fits"),
        share=25,
    params:
        spec=scores.fits_spec,
    shell:
        "starter python -m penumbra.stages.fits"
        " --in outputs={input.outputs:q} second={input.second:q} head={input.head:q}"
        " --out fitted={output.fitted:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule fits_network:
    """Fit a scorer through the network on ID images."""
    input:
        model=readings.model,
        map=readings.map,
        images=scores.fit_images,
    output:
        fitted=results(
            "fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.safetensors"
        ),
    log:
        logs("fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=scores.fitted_scorers(through_network=True),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("fits_network"),
        runtime=demands.minutes("fits_network"),
        share=100,
    params:
        spec=scores.fits_network_spec,
    shell:
        "starter python -m penumbra.stages.fits_network"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " --out fitted={output.fitted:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule scores:
    """Score test and OOD images by arrays alone; larger means more ID."""
    input:
        features=scores.features,
        second=scores.second,
        head=scores.head,
        fitted=scores.fitted,
    output:
        scores=results("scores/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.parquet"),
    log:
        logs("scores/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=scores.scorers(of_network=False),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("scores"),
        runtime=demands.minutes("scores"),
        share=25,
    params:
        spec=scores.scores_spec,
    shell:
        "starter python -m penumbra.stages.scores"
        " --in features={input.features:q} second={input.second:q} head={input.head:q}"
        " fitted={input.fitted:q} --out scores={output.scores:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule scores_network:
    """Score test and OOD images through the network; larger means more ID."""
    name:
        shards.rule("scores_network")
    input:
        model=readings.model,
        map=readings.map,
        images=readings.images,
        fitted=scores.fitted,
    output:
        scores=shards.made("scores"),
    log:
        shards.log("scores"),
    wildcard_constraints:
        scorer=scores.scorers(of_network=True),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        gpu=COMPUTE["gpus"],
        mem_mb=demands.mem_mb("scores_network"),
        runtime=demands.minutes("scores_network"),
        share=100,
    params:
        spec=scores.scores_network_spec,
    shell:
        "starter python -m penumbra.stages.scores_network"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " fitted={input.fitted:q} --out scores={output.scores:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule metrics:
    """Detection metrics of all scorers that the world shows, and the same of resampled images."""
    input:
        scores=scores.measured,
    output:
        metrics=results("metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
        draws=results("metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/draws/{input}.parquet"),
    log:
        logs("metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("metrics"),
        runtime=demands.minutes("metrics"),
        share=25,
    params:
        spec=scores.metrics_spec,
    shell:
        "starter python -m penumbra.stages.metrics --in scores={input.scores:q}"
        " --out metrics={output.metrics:q} draws={output.draws:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
