"""One complete configuration, checked: what its names mean and which of its data are there."""

import functools
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.classes import resolved
from penumbra.images.layout import Location, locate
from penumbra.planning import chain, reports, sense
from penumbra.planning.answers import answers
from penumbra.planning.config import Files, from_command_line, load_yaml, merge, resolve_recipe
from penumbra.planning.gathering import found, tell
from penumbra.planning.references import unanswered
from penumbra.planning.tables import CLEAN, Cell, expand
from penumbra.planning.validation import check_plain, validate


class World:
    """The config as Snakemake merged it, and the tables and data sets that it names.

    Raises:
        PenumbraError: all that is wrong with the files or with what they say: unknown keys and
            names, values out of range, entries that do not fit together.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path, files: list[Path]):
        self.folder = folder
        self._files = Files(files)
        check_plain(config, self._files)
        self.config = from_command_line(config, self.schema("config"))
        self._dataset_files = self._files.beside(folder / "datasets.yaml", "datasets")
        self.datasets = self._dataset_files.laid()
        if isinstance(config.get("datasets"), Mapping):  # also what --config gives
            self.datasets = merge(self.datasets, config["datasets"])
        self._check()
        self.name = self.config["world"]
        root = self.config["data_root"]
        self.root = Path(root) if root else None

    def _check(self) -> None:
        """Types and ranges first, and names; what entries say together only where types are right.

        Raises:
            PenumbraError: all that is wrong.
        """
        given = (
            ("config", self.config, self._files),
            ("datasets", self.datasets, self._dataset_files),
        )
        typed = found(partial(validate, data, self.schema(of), read) for of, data, read in given)
        named = [
            (of, one.keys[0], told)
            for of, data, read in given
            for one, told in unanswered(data, self.schema(of), self.answers(), read.where)
        ]
        broken = {"datasets" if of == "datasets" else section for of, section, _ in named}
        together = [] if typed else self._together(broken)
        tell([*typed, *(told for _, _, told in named), *together])

    def _together(self, broken: set[str]) -> list[str]:
        """What is wrong between entries; names in the sections `broken` are unknown."""
        lists = self.folder / "classes"
        if "datasets" not in broken:
            self.datasets = {name: resolved(entry, lists) for name, entry in self.datasets.items()}
        return found(partial(check, self, broken) for check in (sense.check, chain.check))

    @functools.cache  # noqa: B019
    def schema(self, name: str) -> dict[str, Any]:
        """A schema of config/schemas."""
        return load_yaml(self.folder / "schemas" / f"{name}.schema.yaml")

    @functools.cache  # noqa: B019
    def answers(self) -> dict[str, Collection[str]]:
        """Per kind of entry, the names that config and tables may use."""
        return answers(self.config, self.datasets, self.folder)

    def where(self, *keys: str) -> str:
        """A key of the config with the file that holds it, as errors begin."""
        if keys[0] == "datasets":
            return f"{self._dataset_files.holder(keys[1:])}: {'.'.join(keys)}"
        return self._files.where(*keys)

    def own(self, benchmark: str) -> list[str]:
        """The image sets of a benchmark beside its OOD sets."""
        entry = self.config["benchmarks"][benchmark]
        singles = (entry.get(key) for key in ("train", "test", "heldout", "calibration_ood"))
        return [*filter(None, singles), *entry.get("shifted", [])]

    @functools.cache  # noqa: B019
    def table(self, name: str) -> dict[str, Any]:
        """A table's or figure's YAML with what it is like.

        Raises:
            PenumbraError: there is no such file, or all that is wrong with its keys.
        """
        return reports.read(self, name)

    @functools.cache  # noqa: B019 - one world a process
    def cells(self, name: str) -> list[Cell]:
        """The cells of a table.

        Raises:
            PenumbraError: all that its rows and columns say wrongly, with its file.
        """
        table = self.table(name)
        reports.check_table(self, table)
        try:
            return expand(table, self)
        except PenumbraError as error:
            raise PenumbraError(f"config/tables/{name}.yaml: {error}") from error

    def backbone(self, name: str) -> dict[str, Any]:
        """A backbone's config."""
        return self.config["backbones"][name]

    def image_set(self, name: str) -> dict[str, Any]:
        """An image set's config."""
        return self.config["image_sets"][name]

    def size(self, image_set: str) -> int:
        """Side of an image set's images in pixels."""
        entry = self.image_set(image_set)
        return entry.get("size", self.datasets[entry["dataset"]]["size"])

    def label(self, image_set: str) -> str:
        """What tables call an image set."""
        return self.image_set(image_set).get("label", image_set)

    def model(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Benchmark, backbone and recipe of a table's row."""
        benchmark = self.benchmark_of(row)
        self._check_zero_shot(row["backbone"], row["recipe"])
        return {"benchmark": benchmark, "backbone": row["backbone"], "recipe": row["recipe"]}

    @functools.cache  # noqa: B019
    def _check_zero_shot(self, backbone: str, recipe: str) -> None:
        is_clip = self.backbone(backbone)["network"] == "clip"
        resolved = resolve_recipe(self.config["recipes"], recipe, backbone)
        if is_clip != (resolved["method"] == "zero_shot"):
            raise PenumbraError(
                f"backbone {backbone} and recipe {recipe}: the network clip and the method "
                "zero_shot go together"
            )
        if is_clip and "prompt" not in resolved["options"]:
            raise PenumbraError(
                f'recipes.{recipe}: name its zero_shot: {{prompt: "a photo of a {{}}"}}'
            )

    def benchmark_of(self, row: Mapping[str, Any]) -> str:
        """The benchmark that has the role a row, column or figure's input names."""
        return self.config["roles"][row.get("benchmark", "main")]

    def trained_on(self, benchmark: str) -> str:
        """The benchmark whose models are read on `benchmark`: itself, or its `models_of`."""
        return self.config["benchmarks"][benchmark].get("models_of", benchmark)

    def input_of(self, row: Mapping[str, Any]) -> str:
        """`clean`, or `map-<recipe>` for x + L with the map that a run of the recipe learned."""
        given = row.get("input", CLEAN)
        if given == CLEAN:
            return CLEAN
        recipe = row["recipe"] if given == "map" else given["map_of"]
        if resolve_recipe(self.config["recipes"], recipe, "")["method"] != "uat":
            raise PenumbraError(
                f"{row.get('label', 'input')}: recipe {recipe} learns no universal map"
            )
        return f"map-{recipe}"

    @functools.cache  # noqa: B019
    def is_there(self, image_set: str) -> bool:
        """Whether the files of an image set are found, or will be downloaded."""
        return not self.lacking(image_set)

    def lacking(self, image_set: str) -> list[tuple[str, str]]:
        """Data sets and splits whose files an image set needs and that are not there."""
        entry = self.image_set(image_set)
        needed = self.sources(entry["dataset"], entry["split"])
        return [source for source in needed if not self._is_there(*source)]

    def sources(self, name: str, split: str) -> list[tuple[str, str]]:
        """Data sets and splits whose files are read for a data set: its base's, if it has one."""
        dataset = self.datasets[name]
        if "base" not in dataset:
            return [(name, split)]
        return [(dataset["base"], split), (dataset["other"]["dataset"], dataset["other"]["split"])]

    def _is_there(self, name: str, split: str) -> bool:
        dataset = self.datasets[name]
        if dataset["reader"] != "stored":
            return True
        can_fetch = (
            self.config["download"] and self.root and "torchvision" in dataset.get("official", {})
        )
        return bool(can_fetch) or locate(name, dataset, split, self.root) is not None

    @functools.cache  # noqa: B019
    def location(self, image_set: str) -> Location | None:
        """Where the files of a stored image set lie, or None."""
        entry = self.image_set(image_set)
        dataset = self.datasets[entry["dataset"]]
        return locate(entry["dataset"], dataset, entry["split"], self.root)

    def ood(self, benchmark: str, group: str) -> list[str]:
        """The OOD image sets of a group that are there, in order."""
        listed = self.config["benchmarks"][benchmark]["ood"].get(group, [])
        return [name for name in listed if self.is_there(name)]

    def all_ood(self, benchmark: str) -> list[str]:
        """The OOD image sets of all groups that are there, each once."""
        groups = self.config["benchmarks"][benchmark]["ood"]
        return list(dict.fromkeys(name for group in groups for name in self.ood(benchmark, group)))

    def absent(self, benchmark: str) -> list[str]:
        """Labels of the OOD image sets that the benchmark lists and that are missing."""
        groups = self.config["benchmarks"][benchmark]["ood"].values()
        names = dict.fromkeys(name for group in groups for name in group)
        return [self.label(name) for name in names if not self.is_there(name)]

    def all_cells(self) -> list[Cell]:
        """The cells of all tables."""
        return [cell for name in self.config["tables"] for cell in self.cells(name)]

    def figure_entries(self, name: str) -> list[dict[str, Any]]:
        """What a figure is drawn from, as its YAML says; without what is declared missing."""
        entries = self.table(name)["inputs"].values()
        return [entry for entry in entries if "missing" not in entry]
