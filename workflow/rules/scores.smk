"""Scores of images under a model by one scorer, and the metrics of the scores.

REQUIRED INPUTS: the reading of the model that the scorer needs.
OUTPUTS: results/<world>/{scores,metrics}/<model>/<input>/<scorer>.parquet
"""


rule scores:
    input:
        features=lambda wc: specs.read_by(WORLD, wc),
    output:
        scores=pattern(WORLD.name, "scores"),
    log:
        "logs/scores/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log",
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        spec=lambda wc: specs.scores(WORLD, wc),
    shell:
        "python -m penumbra.stages.scores --spec {params.spec:q}"
        " --in features={input.features:q} --out scores={output.scores:q} 2>&1 | tee {log:q}"


rule metrics:
    input:
        scores=pattern(WORLD.name, "scores"),
    output:
        metrics=pattern(WORLD.name, "metrics"),
    log:
        "logs/metrics/{benchmark}/{backbone}/{recipe}/seed{seed}/{input}/{scorer}.log",
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=lambda wc: specs.spec("metrics", {}, [], wc),
    shell:
        "python -m penumbra.stages.metrics --spec {params.spec:q}"
        " --in scores={input.scores:q} --out metrics={output.metrics:q} 2>&1 | tee {log:q}"
