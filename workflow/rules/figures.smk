"""Figures, each drawn by the module of its name.

REQUIRED INPUTS: the artifacts that config/tables/<figure>.yaml names.
OUTPUTS: results/<world>/figures/<figure>.{png,svg}
"""


rule figures:
    """A figure as PNG and SVG."""
    input:
        files=lambda wc: of.figure_files(WORLD, wc.figure),
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
        mem_mb=partial(resources.mem_mb, WORLD, "figures"),
        runtime=partial(resources.minutes, WORLD, "figures"),
    params:
        spec=lambda wc: report_specs.figures(WORLD, wc.figure),
    shell:
        "python -m penumbra.stages.figures --in files={input.files:q}"
        " --out png={output.png:q} svg={output.svg:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
