"""Image sets: files of a data set, decoded once.

REQUIRED INPUTS: the data set's files under data_root, or a package that ships them.
OUTPUTS: results/<world>/images/<image set>.parquet
"""


rule images:
    input:
        lambda wc: of.present(WORLD, wc),
    output:
        images=pattern(WORLD.name, "images"),
    log:
        "logs/images/{image_set}.log",
    conda:
        "../../envs/penumbra.yaml"
    threads: WORLD.config["compute"]["threads"]["features"]
    resources:
        mem_mb=partial(demands.mem_mb, WORLD, "images"),
        runtime=partial(demands.minutes, WORLD, "images"),
    params:
        spec=lambda wc: specs.images(WORLD, wc.image_set),
    shell:
        "python -m penumbra.stages.images"
        " --out images={output.images:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
