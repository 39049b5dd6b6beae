"""The papers' printed numbers beside computed ones, and where a paper contradicts its own."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penumbra.evaluation.metrics import METRICS


class Printed:
    """The printed cells of a table, one a row, and what is wrong with some of them.

    A contradiction says by their columns which cells it is `of`, and has a `note`.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, str]], contradictions: Sequence[Mapping[str, Any]] = ()
    ):
        self._rows, self._contradictions = rows, contradictions

    def of(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """Printed number, deviation and contradictions of what a cell names; None without one.

        A table that prints the same thing twice is read at its first place.
        """
        wanted, metrics = cell["reported"], METRICS[cell["metric"]].printed
        there = (row for row in self._rows if row["metric"] in metrics)
        row = next((r for r in there if wanted is not None and _fits(r, wanted)), None)
        if row is None or not row["value"]:
            return {"reported": None, "reported_std": None, "contradictions": []}
        notes = (each["note"] for each in self._contradictions if _fits(row, each["of"]))
        return {
            "reported": row["value"],
            "reported_std": row["std"] or None,
            "contradictions": list(dict.fromkeys(notes)),
        }


def _fits(row: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(row[key] == value for key, value in wanted.items())


def read_reported(file: Path | None) -> list[dict[str, str]]:
    """The paper's printed cells, one a row."""
    if file is None:
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def numbered(cells: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By contradiction that some cell has, in order, the mark of it: §1, §2, …"""
    notes = dict.fromkeys(note for cell in cells for note in cell.get("contradictions") or ())
    return {note: f"§{number}" for number, note in enumerate(notes, 1)}
