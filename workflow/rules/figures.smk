"""Figures, each drawn by the module of its name.

REQUIRED INPUTS: the artifacts that config/tables/<figure>.yaml names.
OUTPUTS: results/<world>/figures/<figure>.{png,svg}
"""


rule figures:
    """A figure as PNG and SVG."""
    input:
        files=figures.files,
    output:
        png=report(
            results("figures/{figure}.png"),
            category="Figures",
            labels={"figure": "{figure}", "format": "PNG"},
        ),
        svg=results("figures/{figure}.svg"),
    log:
        logs("figures/{figure}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=demands.mem_mb("figures"),
        runtime=demands.minutes("figures"),
    params:
        spec=figures.spec,
    shell:
        "starter python -m penumbra.stages.figures --in files={input.files:q}"
        " --out png={output.png:q} svg={output.svg:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
