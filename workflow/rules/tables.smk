"""Tables: rows and columns of numbers, as their YAML declares them.

REQUIRED INPUTS: what the cells of config/tables/<table>.yaml are read from.
OUTPUTS: results/<world>/tables/<table>.{parquet,csv,md,tex,html}
"""


rule tables:
    """A table in every format, from the artifacts behind its cells."""
    input:
        cells=tables.cells,
        images=tables.images,
        selections=tables.selections,
        shortcuts=tables.shortcuts,
        reported=tables.reported,
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
        mem_mb=demands.mem_mb("tables"),
        runtime=demands.minutes("tables"),
    params:
        spec=tables.spec,
    shell:
        "starter python -m penumbra.stages.tables"
        " --in cells={input.cells:q} images={input.images:q} reported={input.reported:q}"
        " selections={input.selections:q} shortcuts={input.shortcuts:q}"
        " --out table={output.table:q} csv={output.csv:q} md={output.md:q} tex={output.tex:q}"
        " html={output.html:q} <<< {params.spec:q} 2>&1 | keep {log:q}"
