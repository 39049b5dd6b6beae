"""Whether what a table tells apart holds when its models are trained again from other seeds.

    python benchmarks/repeat.py results/embedded/tables/uat_table01.parquet \
        results/repeat/tables/uat_table01.parquet

Both are the same table, of worlds that differ in their seeds. Of every column, metric and backbone
all pairs of rows are compared as `evaluation/comparisons.py` says. Told are, by metric and for the
average over sets: the share of the pairs that the first table tells apart, and of those the share
whose order is the same in the second. Call it where the tables' world was computed.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from penumbra.evaluation.comparisons import Group
from penumbra.evaluation.intervals import Sample
from penumbra.evaluation.metrics import METRICS
from penumbra.reporting.tables.values import sample_of
from penumbra.store.artifacts import provenance_of


def samples(file: Path) -> tuple[dict[tuple, dict[str, Sample]], float]:
    """By (column label, metric, backbone): the finite samples by row label; and the level."""
    config = provenance_of(file)["config"]
    groups: dict[tuple, dict[str, Sample]] = defaultdict(dict)
    for cell in config["cells"]:
        if cell["files"] and METRICS[cell["metric"]].is_of_scores:
            one = sample_of(cell)
            if np.isfinite(one.draws).all():
                key = cell["column_label"], cell["metric"], cell["backbone"]
                groups[key][cell["row_label"]] = one
    return groups, config["confidence"]


def compare(
    first: dict[str, Sample], second: dict[str, Sample], level: float
) -> tuple[int, int, int]:
    """Numbers of pairs, of those told apart in `first`, and of those in the same order again."""
    rows = [row for row in first if row in second]
    group = Group([first[row] for row in rows])
    apart = group.apart(level)

    def order(of: dict[str, Sample], pair: tuple[int, int]) -> float:
        one, other = (of[rows[place]].values.mean() for place in pair)
        return float(np.sign(one - other))

    held = sum(order(first, pair) == order(second, pair) for pair in apart)
    return len(group.pairs), len(apart), held


def main() -> None:
    """Compare two tables, and print one line a metric."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    files = parser.parse_args()
    (first, level), (second, _) = samples(files.first), samples(files.second)
    counts: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(3, int))
    for key in first.keys() & second.keys():
        label, metric, _ = key
        kind = "average over sets" if label == "Average" else "single sets"
        counts[metric, kind] += compare(first[key], second[key], level)
    print("| metric | of | pairs | told apart | of these in the same order again |")
    print("|---|---|---:|---:|---:|")
    for (metric, kind), (pairs, apart, held) in sorted(counts.items()):
        again = f"{held / apart:.0%}" if apart else "–"
        print(f"| {metric} | {kind} | {pairs} | {apart / pairs:.0%} | {again} |")


if __name__ == "__main__":
    main()
