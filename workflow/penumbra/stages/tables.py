"""Table: its cells' artifacts -> Parquet, CSV, Markdown, LaTeX and HTML."""

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.evaluation.metrics import METRICS
from penumbra.reporting.tables.marks import told
from penumbra.reporting.tables.outliers import told_of_outliers
from penumbra.reporting.tables.printed import Printed, read_reported
from penumbra.reporting.tables.render import FORMATS, arrange
from penumbra.reporting.tables.values import evaluate
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import dumps, write_parquet
from penumbra.store.files import write_text

SCHEMA = pa.schema(
    [
        ("row", pa.int32()),
        ("row_label", pa.string()),
        ("column", pa.int32()),
        ("column_label", pa.string()),
        ("metric", pa.string()),
        ("values", pa.list_(pa.float64())),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("conformal_low", pa.float64()),
        ("conformal_high", pa.float64()),
        ("equal", pa.float64()),
        ("block", pa.string()),
        ("instead_of", pa.string()),
        ("rank", pa.int32()),
        ("missing", pa.string()),
        ("reported", pa.string()),
        ("reported_std", pa.string()),
        ("contradictions", pa.list_(pa.string())),
    ]
)


def run(job: Job) -> None:
    """Evaluate the cells and write them in every format."""
    config = job.config
    reported = job.inputs.get("reported", [None])[0]
    printed = Printed(read_reported(reported), config["contradictions"])
    cells = evaluate(config["cells"], printed, config["confidence"])
    bold = compared(config, cells)
    notes = [*caption(config), *bold, *told_of_outliers(config), *told(cells)]
    meta = {"title": config["title"], "notes": dumps(notes)}
    table = pa.Table.from_pylist(cells, schema=SCHEMA.with_metadata(meta))
    shown = arrange(config["title"], notes, cells)
    for name, render in FORMATS.items():
        write_text(job.outputs[name], render(shown))
    write_parquet(job.outputs["table"], table, job.provenance())
    job.record(job.outputs["table"])


def caption(config: dict) -> list[str]:
    """World, seeds, sizes, what is missing, and the protocol."""
    world, seeds = f"World {config['world']}", config["seeds"]
    several = f"seeds {', '.join(map(str, seeds))}; mean ± sample deviation over seeds"
    lines = [f"{world}; {several}." if len(seeds) > 1 else f"{world}; seed {seeds[0]}."]
    for benchmark in config["benchmarks"].values():
        roles = ("train", "test", "shifted", "ood")
        sizes = {role: _sizes(benchmark[role]) for role in roles}
        others = {"shifted": "shifted", "ood": "OOD"}
        more = "".join(f"; {word} {sizes[role]}" for role, word in others.items() if sizes[role])
        lines.append(
            f"{benchmark['label']}: train {sizes['train']}, test {sizes['test']} images{more}."
        )
        if benchmark["absent"]:
            lines.append(f"Missing here: {', '.join(benchmark['absent'])}.")
    protocol = "Scores: larger is more ID; FPR95 with ID positive at the recall nearest to 95 %."
    return [*lines, *config["notes"], protocol]


def compared(config: dict, cells: list[dict]) -> list[str]:
    """What bold says of these cells, and what intervals are over; nothing where none is bold."""
    of_scores = {METRICS[cell["metric"]].is_of_scores for cell in cells if cell["rank"]}
    if not of_scores:
        return []
    sources = ["test images"] * (True in of_scores) + ["seeds"] * (len(config["seeds"]) > 1)
    only = " (accuracies: over seeds alone)" if of_scores == {True, False} else ""
    return [
        "Bold: the best of a column and backbone, and all that cannot be told from it at "
        f"{100 * config['confidence']:g} %, over {' and '.join(sources)}{only}."
    ]


def _sizes(sets: list[list[str]]) -> str:
    return ", ".join(f"{label} {pq.read_metadata(file).num_rows}" for label, file in sets)


if __name__ == "__main__":
    main(run)
