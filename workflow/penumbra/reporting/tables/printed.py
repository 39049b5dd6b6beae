"""The papers' printed numbers beside computed ones, and where a paper contradicts its own."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
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
        rows = self._rows if wanted else ()
        row = next((r for r in rows if r["metric"] in metrics and _fits(r, wanted)), None)
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
    """The lines of a file of config/reported, as the paper's printed cells, one a row.

    Raises:
        PenumbraError: it is not UTF-8.
    """
    if file is None:
        return []
    try:
        return list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    except UnicodeDecodeError as error:
        raise PenumbraError(f"{file}: not UTF-8 ({error}); save it as UTF-8") from None


def numbered(cells: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By contradiction that some cell has, in order, the mark of it: §1, §2, …"""
    notes = dict.fromkeys(note for cell in cells for note in cell.get("contradictions") or ())
    return {note: f"§{number}" for number, note in enumerate(notes, 1)}
