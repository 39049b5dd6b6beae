"""What a table's caption says of the outliers that its detectors trained on."""

from collections.abc import Mapping
from typing import Any

from penumbra.evaluation.shortcuts import MEASURES, SUSPECT
from penumbra.store.artifacts import read_parquet
from penumbra.store.notes import read_note


def told_of_outliers(config: Mapping[str, Any]) -> list[str]:
    """How many each row's filter keeps, what there is to say of that, and shortcuts."""
    lines = [
        *(_kept(row, files) for row, files in config["selections"].items()),
        *_notes(config["selections"]),
        *(_shortcuts(name, file) for name, file in config["shortcuts"].items()),
    ]
    return list(dict.fromkeys(lines))


def _kept(row: str, files: list[str]) -> str:
    kept = [read_parquet(file, ["kept"])["kept"].to_pylist() for file in files]
    counts = ", ".join(str(sum(rows)) for rows in kept)
    return f"{row}: {counts} of {len(kept[0])} outliers kept, by seed."


def _notes(selections: Mapping[str, list[str]]) -> list[str]:
    """What filters did that their names do not say, with the rows that it is true of."""
    rows: dict[str, list[str]] = {}
    for row, files in selections.items():
        for file in files:
            note = read_note(file)
            if note is not None:
                rows.setdefault(note, []).append(row)
    return [f"{', '.join(named)}: {note}" for note, named in rows.items()]


def _shortcuts(name: str, file: str) -> str:
    """AUROC by measure, and a warning where a detector could do without content."""
    rows = read_parquet(file).to_pylist()
    told = ", ".join(f"{MEASURES[row['measure']]} {row['auroc']:.2f}" for row in rows)
    warned = max(row["auroc"] for row in rows) > SUSPECT
    warning = " Warning: detectors may have learned that instead of content." if warned else ""
    begin = f"ID images against outliers {name}, AUROC of colour and detail alone"
    return f"{begin}: {told}.{warning}"
