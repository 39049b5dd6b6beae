"""Image sets: files of a data set, decoded once.

REQUIRED INPUTS: the data set's files under data_root, or a package that ships them.
OUTPUTS: results/<world>/images/<image set>.parquet
"""


rule images:
    """Decode a data set's files once: pixels, labels and origins of an image set."""
    input:
        images.present,
    output:
        images=results("images/{image_set}.parquet"),
    log:
        logs("images/{image_set}.log"),
    conda:
        "../../envs/penumbra.yaml"
    threads: COMPUTE["threads"]["features"]
    resources:
        mem_mb=demands.mem_mb("images"),
        runtime=demands.minutes("images"),
    params:
        spec=images.spec,
    shell:
        "starter python -m penumbra.stages.images"
        " --out images={output.images:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
