"""Tables: what their rule asks of a world."""

import functools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.evaluation.resampling import draws_of
from penumbra.planning.cell_checks import check_cells
from penumbra.planning.cells import Cell, expand
from penumbra.planning.left_out import figure_entries
from penumbra.planning.outlier_training import detector, trained
from penumbra.planning.paths import path
from penumbra.planning.report_checks import check_table
from penumbra.planning.reported import contradictions
from penumbra.planning.spec import spec
from penumbra.planning.titles import title
from penumbra.planning.world import World

ROLES = ("train", "test", "shifted", "ood")


class Tables:
    """The rule `tables`."""

    def __init__(self, world: World):
        self._world = world
        self.of = functools.cache(self._expanded)

    def _expanded(self, name: str) -> list[Cell]:
        table = self._world.reports.laid(name)
        check_table(self._world, table)
        try:
            cells = expand(table, self._world)
            check_cells(cells, table, self._world)
            return cells
        except PenumbraError as error:
            raise PenumbraError(f"{self._world.reports.file(name)}: {error}") from error

    def all_cells(self) -> list[Cell]:
        """The cells of all tables of the world."""
        return [cell for name in self._world.config["tables"] for cell in self.of(name)]

    @functools.cached_property
    def _shown(self) -> dict[tuple[str, ...], list[str]]:
        named: set[tuple[tuple[str, ...], str, str]] = set()
        for cell in self.all_cells():
            if cell.model and cell.input and cell.scorer:
                named.add((tuple(cell.model.values()), cell.input, cell.scorer))
        for figure in self._world.config["figures"]:
            for entry in figure_entries(self._world, figure):
                if entry["kind"] == "metrics":
                    model = tuple(self._world.model(entry).values())
                    named.add((model, self._world.input_of(entry), entry["scorer"]))
        order = list(self._world.config["scorers"])
        shown: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for model, given, scorer in sorted(named, key=lambda entry: order.index(entry[2])):
            for seed in self._world.config["seeds"]:
                shown[(*model, str(seed), given)].append(scorer)
        return shown

    def shown_scorers(self) -> Mapping[tuple[str, ...], list[str]]:
        """By (benchmark, backbone, recipe, seed, input): the scorers whose metrics are shown."""
        return self._shown

    def cells(self, names: Mapping[str, str]) -> list[str]:
        """What a table's cells are read from, and the same under resampled images."""
        cells = self.of(names["table"])
        files = [file for cell in cells for file in cell.files]
        of_scores = (file for cell in cells if cell.scorer for file in cell.files)
        return _each_once([*files, *(str(draws_of(Path(file))) for file in of_scores)])

    def images(self, names: Mapping[str, str]) -> list[str]:
        """The image sets whose sizes a table's caption states."""
        described = self._described(names["table"]).values()
        return _each_once(file for d in described for role in ROLES for _, file in d[role])

    def selections(self, names: Mapping[str, str]) -> list[str]:
        """The selections that detectors of a table were trained on: a fall-back is told in it."""
        by_row = self._selections(names["table"]).values()
        return _each_once(file for files in by_row for file in files)

    def shortcuts(self, names: Mapping[str, str]) -> list[str]:
        """What colour and detail alone tell of the outliers that a table's models trained on."""
        return list(self._shortcuts(names["table"]).values())

    def reported(self, names: Mapping[str, str]) -> list[str]:
        """The paper's printed numbers for a table, if the paper has that table."""
        file = self._world.reported(names["table"])
        return [] if file is None else [os.path.relpath(file)]

    def spec(self, names: Mapping[str, str]) -> str:
        """Reads: the table's cells, seeds, and the words of its caption."""
        world, name = self._world, names["table"]
        table = world.table(name)
        config = {
            "title": title(world, table, self.of(name)),
            "notes": table.get("notes", []),
            "cells": [cell.as_dict() for cell in self.of(name)],
            "contradictions": self._contradictions(name),
            "selections": self._selections(name),
            "shortcuts": self._shortcuts(name),
            "world": world.name,
            "confidence": world.config["confidence"],
            "seeds": world.config["seeds"],
            "benchmarks": self._described(name),
        }
        return spec("tables", config, [], {"table": name})

    def _contradictions(self, name: str) -> list[dict[str, Any]]:
        """Where the paper contradicts its own numbers that stand beside the table's."""
        if not any(cell.reported for cell in self.of(name)):
            return []
        printed = self._world.table(name).get("reported_in", name)
        return contradictions(self._world.folder / "reported", printed)

    def _described(self, name: str) -> dict[str, dict[str, Any]]:
        """By benchmark of a table: the image sets that its cells are of, with labels and files."""
        world = self._world
        groups = [column["group"] for column in world.table(name)["columns"] if "group" in column]
        sets: dict[str, list[str]] = {}
        for cell in self.of(name):
            if cell.files:
                sets.setdefault(cell.benchmark, []).extend(cell.sets)

        def listed(names: Iterable[str]) -> list[list[str]]:
            return [[world.label(s), *world.images([s])] for s in names]

        entries = {used: world.config["benchmarks"][used] for used in sorted(sets)}
        return {
            used: {
                "label": entry["label"],
                "train": listed([entry["train"]]),
                "test": listed([entry["test"]]),
                "shifted": listed(entry.get("shifted", [])),
                "ood": listed(dict.fromkeys(sets[used])),
                "absent": world.absent(used, groups),
            }
            for used, entry in entries.items()
        }

    def _detectors(self, name: str) -> Iterator[tuple[Cell, dict[str, str], dict[str, Any]]]:
        """The cells of models that train on outliers, with their model's wildcards and options."""
        for cell in self.of(name):
            if cell.files and cell.model is not None:
                chosen = detector(self._world, cell.model["recipe"], cell.model["backbone"])
                if chosen is not None:
                    yield cell, dict(cell.model), chosen

    def _selections(self, name: str) -> dict[str, list[str]]:
        """Per row label, and benchmark where there are several, the selections of its models."""
        by_row: dict[str, list[str]] = {}
        several = len({names["benchmark"] for _, names, _ in self._detectors(name)}) > 1
        for cell, names, chosen in self._detectors(name):
            if chosen.get("filter") is None:
                continue
            label = self._world.config["benchmarks"][names["benchmark"]]["label"]
            row = f"{cell.row_label} ({label})" if several else cell.row_label
            listed = by_row.setdefault(row, [])
            for seed in self._world.config["seeds"]:
                of = trained(self._world, {**names, "seed": seed})
                file = path(self._world.name, "selections", **of)
                listed += [file] if file not in listed else []
        return by_row

    def _shortcuts(self, name: str) -> dict[str, str]:
        """By outlier set, its benchmark and what ID images passed, what was measured of it."""
        files: dict[str, str] = {}
        for _, names, chosen in self._detectors(name):
            benchmark = self._world.trained_on(names["benchmark"])
            label = self._world.config["benchmarks"][benchmark]["label"]
            passed = chosen.get("reconstruct_id")
            of = {
                "benchmark": benchmark,
                "outliers": chosen["set"],
                "id_images": "reconstructions" if passed else "images",
            }
            through = ", ID images through its tokenizer" if passed else ""
            file = path(self._world.name, "shortcuts", **of)
            files[f"{chosen['set']} ({label}){through}"] = file
        return files


def _each_once(files: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(files))
