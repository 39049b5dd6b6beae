"""Snakemake's own cost: seconds until the whole DAG of a world is planned."""

import tempfile
from pathlib import Path

from benchmarks import worlds

TARGETS = {"embedded": "≤ 5", "cifar": "≤ 15"}


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, seconds, target."""
    rows = []
    for name, target in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            worlds.stand_in(worlds.made(name, Path(folder)))
            plan = worlds.dry_run(name, Path(folder), ("all_tables", "all_figures"))
        rows.append(
            (f"DAG of the {name} world, {len(plan.jobs)} jobs, seconds", plan.seconds, target)
        )
    return rows
