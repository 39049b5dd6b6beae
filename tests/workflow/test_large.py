"""Calls whose parameters and lists of files are larger than one argument of a command may be."""

import json

import pyarrow.parquet as pq
import yaml

from penumbra.store.artifacts import provenance_of

LIMIT = 131_072  # bytes of one argument, on Linux


def test_a_table_of_any_size_starts(again):
    """As long a spec as twenty seeds give the largest tables; its numbers are there already."""
    scorers = ["msp", "energy", "react", "dice", "rfw", "odin", "fn"]
    column = {"group": "far", "sets": "each", "metrics": ["fpr95", "auroc", "aupr_id", "aupr_ood"]}
    large = {
        "title": "Large",
        "benchmark": "main",
        "backbone": "resnet18",
        "columns": [column],
        "rows": [
            {"label": f"It's {s}, {'long ' * 9000}", "recipe": "standard", "scorer": s}
            for s in scorers
        ],
    }
    (again.folder / "config/tables/large.yaml").write_text(yaml.safe_dump(large))
    again.edit("tiny.yaml", "tables: [", "tables: [large, ")
    again.run("large")
    table = again.folder / "results/tiny/tables/large.parquet"
    assert len(json.dumps(provenance_of(table)["config"])) > 2 * LIMIT
    assert pq.read_metadata(table).num_rows == len(scorers) * 2 * 4
