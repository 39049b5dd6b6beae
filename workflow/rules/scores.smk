"""Scores of images under a model by one scorer, what the scorer is fitted to, and the metrics.

REQUIRED INPUTS: the reading of the model that the scorer needs, or the model and the images.
OUTPUTS: results/<world>/{fits,scores,metrics}/<model>/<input>/<scorer>…
"""


rule fits:
    """Fit a scorer on outputs of ID images."""
    input:
        outputs=results("outputs/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
        head=lambda wc: scorers.fit_head(WORLD, wc),
    output:
        fitted=results(
            "fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.safetensors"
        ),
    log:
        logs("fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=of.fitted_scorers(WORLD, through_network=False),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "fits"),
        runtime=partial(resources.minutes, WORLD, "fits"),
        share=25,
    params:
        spec=lambda wc: score_specs.fits(WORLD, wc),
    shell:
        "python -m penumbra.stages.fits"
        " --in outputs={input.outputs:q} head={input.head:q}"
        " --out fitted={output.fitted:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule fits_network:
    """Fit a scorer through the network on ID images."""
    input:
        model=lambda wc: of.model(WORLD, wc),
        map=lambda wc: of.universal_map(WORLD, wc),
        images=lambda wc: of.fit_images(WORLD, wc),
    output:
        fitted=results(
            "fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.safetensors"
        ),
    log:
        logs("fits/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=of.fitted_scorers(WORLD, through_network=True),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "fits_network"),
        runtime=partial(resources.minutes, WORLD, "fits_network"),
        share=100,
    params:
        spec=lambda wc: score_specs.fits_network(WORLD, wc),
    shell:
        "python -m penumbra.stages.fits_network"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " --out fitted={output.fitted:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule scores:
    """Score test and OOD images by arrays alone; larger means more ID."""
    input:
        features=lambda wc: scorers.features(WORLD, wc),
        head=lambda wc: scorers.head(WORLD, wc),
        fitted=lambda wc: scorers.fitted(WORLD, wc),
    output:
        scores=results("scores/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.parquet"),
    log:
        logs("scores/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log"),
    wildcard_constraints:
        scorer=of.scorers_that(WORLD, of_network=False),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "scores"),
        runtime=partial(resources.minutes, WORLD, "scores"),
        share=25,
    params:
        spec=lambda wc: score_specs.scores(WORLD, wc),
    shell:
        "python -m penumbra.stages.scores"
        " --in features={input.features:q} head={input.head:q} fitted={input.fitted:q}"
        " --out scores={output.scores:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule scores_network:
    """Score test and OOD images through the network; larger means more ID."""
    name:
        sharding.job(WORLD, "scores_network")
    input:
        model=lambda wc: of.model(WORLD, wc),
        map=lambda wc: of.universal_map(WORLD, wc),
        images=lambda wc: of.all_images(WORLD, wc),
        fitted=lambda wc: scorers.fitted(WORLD, wc),
    output:
        scores=sharding.made(WORLD, "scores"),
    log:
        sharding.log(WORLD, "scores"),
    wildcard_constraints:
        scorer=of.scorers_that(WORLD, of_network=True),
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        gpu=WORLD.config["compute"]["gpus"],
        mem_mb=partial(resources.mem_mb, WORLD, "scores_network"),
        runtime=partial(resources.minutes, WORLD, "scores_network"),
        share=100,
    params:
        spec=lambda wc: score_specs.scores_network(WORLD, wc),
    shell:
        "python -m penumbra.stages.scores_network"
        " --in model={input.model:q} map={input.map:q} images={input.images:q}"
        " fitted={input.fitted:q} --out scores={output.scores:q} <<< {params.spec:q} 2>&1 | keep {log:q}"


rule metrics:
    """Detection metrics of all scorers that the world shows of one model and input."""
    input:
        scores=lambda wc: of.scores(WORLD, wc),
    output:
        metrics=results("metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.parquet"),
    log:
        logs("metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "metrics"),
        runtime=partial(resources.minutes, WORLD, "metrics"),
        share=25,
    params:
        spec=lambda wc: specs.spec("metrics", {}, [], wc),
    shell:
        "python -m penumbra.stages.metrics --in scores={input.scores:q}"
        " --out metrics={output.metrics:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
