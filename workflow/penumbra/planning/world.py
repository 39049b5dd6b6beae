"""One complete configuration: what its names mean and which of its data are there."""

import functools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.classes import resolved
from penumbra.images.layout import Location, can_fetch, locate
from penumbra.options.offered import whole
from penumbra.planning.answers import answers
from penumbra.planning.config import Files, from_command_line, merge, resolve_recipe, without_nulls
from penumbra.planning.paths import CLEAN, path
from penumbra.planning.reports import Reports, files_of
from penumbra.planning.schema import structure
from penumbra.planning.validation import check_plain

OF_CLIP = ("zero_shot", "catex")  # methods that make a classifier out of CLIP
MAIN = "main"  # the role that a table has which names no benchmark


class World:
    """The config as Snakemake merged it, and the tables and data sets that it names.

    Raises:
        PenumbraError: all that is wrong with the files as YAML; `checks` says what is wrong with
            what they say.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path, files: list[Path]):
        self.folder = folder
        self.files = Files(files)
        check_plain(config, self.files)
        whole_config = from_command_line(config, self.schema("config"))
        self.config, self.left_out = without_nulls(whole_config)
        self.dataset_files = self.files.beside(folder / "datasets.yaml", "datasets")
        given = config.get("datasets")  # also what --config gives
        laid = self.dataset_files.laid()
        self.catalogue = merge(laid, given) if isinstance(given, Mapping) else laid
        # Tables may lie beside a user's config file.
        reports = files_of([folder, *(file.parent for file in files)])
        one = {kind: only(self.config.get(f"{kind}s", {})) for kind in ("backbone", "recipe")}
        self.reports = Reports(reports, self.schema, self.answers, one)

    @property
    def name(self) -> str:
        """The world's own name, and that of its folders."""
        return self.config["world"]

    @functools.cached_property
    def root(self) -> Path | None:
        """The folder of the data sets, where one is named."""
        return Path(self.config["data_root"]) if self.config["data_root"] else None

    @functools.cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """The catalogue, with the lists of classes that its entries name."""
        lists = self.folder / "classes"
        return {name: resolved(entry, lists) for name, entry in self.catalogue.items()}

    def results(self, path: str) -> str:
        """Where an artifact lies, from its path inside the world; wildcards stay."""
        return f"results/{self.name}/{path}"

    def logs(self, path: str) -> str:
        """Where a job's log lies, from its path inside the world; wildcards stay."""
        return f"logs/{self.name}/{path}"

    @functools.cache  # noqa: B019
    def schema(self, name: str) -> dict[str, Any]:
        """A schema of config/schemas."""
        return structure(self.folder, name)

    @functools.cache  # noqa: B019
    def answers(self) -> dict[str, Collection[str]]:
        """Per kind of entry, the names that config and tables may use."""
        return answers(self.config, self.catalogue, self.reports.files, self.folder)

    def where(self, *keys: str) -> str:
        """A key of the config with the file that holds it, as errors begin."""
        if keys[0] == "datasets":
            return f"{self.dataset_files.holder(keys[1:])}: {'.'.join(keys)}"
        return self.files.where(*keys)

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
        return self.reports.read(name)

    def images(self, names: Iterable[str]) -> list[str]:
        """Artifacts of image sets."""
        return [path(self.name, "images", image_set=name) for name in names]

    def images_of(self, benchmark: str, role: str) -> str:
        """The training (`train`), test or held-out images of a benchmark."""
        return self.images([self.config["benchmarks"][benchmark][role]])[0]

    def backbone(self, name: str) -> dict[str, Any]:
        """A backbone's config."""
        return whole(self.config["backbones"][name])

    @property
    def places(self) -> list[Path]:
        """Where files of the user's own are looked for: beside the config files, and here."""
        own = [file.parent for file in reversed(self.files.paths) if file.parent != self.folder]
        return [*own, Path()]

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
        self._check_clip(row["backbone"], row["recipe"])
        return {"benchmark": benchmark, "backbone": row["backbone"], "recipe": row["recipe"]}

    @functools.cache  # noqa: B019
    def _check_clip(self, backbone: str, recipe: str) -> None:
        is_clip = self.backbone(backbone)["network"] == "clip"
        resolved = resolve_recipe(self.config["recipes"], recipe, backbone)
        if is_clip != (resolved["method"] in OF_CLIP):
            raise PenumbraError(
                f"backbone {backbone} and recipe {recipe}: the network clip and the methods "
                f"{' and '.join(OF_CLIP)} go together"
            )
        if resolved["method"] == "zero_shot" and "prompt" not in resolved["options"]:
            raise PenumbraError(
                f'recipes.{recipe}: name its zero_shot: {{prompt: "a photo of a {{}}"}}'
            )

    def benchmark_of(self, row: Mapping[str, Any]) -> str:
        """The benchmark that a row, column or figure's input names.

        Raises:
            PenumbraError: it names a role that no benchmark has in this world.
        """
        benchmark = self.tested(row.get("benchmark"))
        if benchmark is None:
            told = "stands for this; name one, or leave the table out"
            raise PenumbraError(
                f"{self.where('roles', row.get('benchmark', MAIN))}: no benchmark of the world "
                f"{self.name} {told}"
            )
        return benchmark

    def tested(self, name: str | None) -> str | None:
        """The benchmark of a role or name, or None; without one, `main`'s or the only one."""
        roles, benchmarks = self.config["roles"], self.config["benchmarks"]
        if name is None and MAIN not in roles:
            return only(benchmarks)
        name = name or MAIN
        return roles.get(name, name if name in benchmarks else None)

    def stands_for(self, role: str) -> str | None:
        """The ID data that the papers have where this world has the benchmark of a role."""
        roles = self.schema("config")["properties"]["roles"]["properties"]
        return roles[role]["x-stands-for"] if role in roles else None

    def reported(self, table: str) -> Path | None:
        """The paper's printed numbers for a table, if the paper has it or one `reported_in`."""
        name = self.reports.laid(table).get("reported_in", table)
        file = self.folder / "reported" / f"{name}.csv"
        return file if file.is_file() else None

    def trained_on(self, benchmark: str) -> str:
        """The benchmark whose models are read on `benchmark`: itself, or its `models_of`."""
        return self.config["benchmarks"][benchmark].get("models_of", benchmark)

    def input_of(self, row: Mapping[str, Any]) -> str:
        """`clean`, or `map-<recipe>` for x + L with the map that a run of the recipe learned."""
        given = row.get("input", CLEAN)
        if given == CLEAN:
            return CLEAN
        recipe = row["recipe"] if given == "map" else given["map_of"]
        method = resolve_recipe(self.config["recipes"], recipe, "")["method"]
        if method not in ("uat", "pretrained"):  # one of these may have been trained by the other
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
        if self.config["download"] and self.root and can_fetch(dataset):
            return True
        return self.location(name, split) is not None

    @functools.cache  # noqa: B019
    def location(self, name: str, split: str) -> Location | None:
        """Where the files of a stored data set's split lie, or None."""
        return locate(name, self.datasets[name], split, self.root)

    def ood(self, benchmark: str, group: str) -> list[str]:
        """The OOD image sets of a group, in order; without those that are not there and may be."""
        entry = self.config["benchmarks"][benchmark]
        must = entry["missing"] == "error"  # who asks for the table is told what is not there
        return [name for name in entry["ood"].get(group, []) if must or self.is_there(name)]

    def all_ood(self, benchmark: str) -> list[str]:
        """The OOD image sets of all groups that are there, each once."""
        groups = self.config["benchmarks"][benchmark]["ood"]
        return list(dict.fromkeys(name for group in groups for name in self.ood(benchmark, group)))

    def absent(self, benchmark: str, groups: Iterable[str]) -> list[str]:
        """Labels of the OOD image sets of some groups of a benchmark that are missing."""
        listed = self.config["benchmarks"][benchmark]["ood"]
        names = dict.fromkeys(name for group in groups for name in listed.get(group, []))
        return [self.label(name) for name in names if not self.is_there(name)]


def only(entries: Any) -> str | None:
    """The name of the only entry of a section, if there is one alone."""
    return next(iter(entries)) if isinstance(entries, Mapping) and len(entries) == 1 else None
