"""Tables: rows and columns of numbers, as their YAML declares them.

REQUIRED INPUTS: what the cells of config/tables/<table>.yaml are read from.
OUTPUTS: results/<world>/tables/<table>.{parquet,csv,md,tex,html}
"""


rule tables:
    """A table in every format, from the artifacts behind its cells."""
    input:
        cells=lambda wc: of.cells(WORLD, wc.table),
        images=lambda wc: report_specs.described_sets(WORLD, wc.table),
        selections=lambda wc: report_specs.selections(WORLD, wc.table),
        reported=lambda wc: of.reported(WORLD, wc.table),
    output:
        table=results("tables/{table}.parquet"),
        csv=report(
            results("tables/{table}.csv"),
            category="Tables",
            labels={"table": "{table}", "format": "CSV"},
        ),
        md=results("tables/{table}.md"),
        tex=results("tables/{table}.tex"),
        html=report(
            results("tables/{table}.html"),
            category="Tables",
            labels={"table": "{table}", "format": "page"},
        ),
    log:
        logs("tables/{table}.log"),
    conda:
        "../../envs/penumbra.yaml"
    resources:
        mem_mb=partial(resources.mem_mb, WORLD, "tables"),
        runtime=partial(resources.minutes, WORLD, "tables"),
    params:
        spec=lambda wc: report_specs.tables(WORLD, wc.table),
    shell:
        "python -m penumbra.stages.tables"
        " --in cells={input.cells:q} images={input.images:q} reported={input.reported:q}"
        " selections={input.selections:q}"
        " --out table={output.table:q} csv={output.csv:q} md={output.md:q} tex={output.tex:q}"
        " html={output.html:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
