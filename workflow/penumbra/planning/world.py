"""One complete configuration, checked: what its names mean and which of its data are there."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.images.classes import resolved
from penumbra.images.layout import Location, locate
from penumbra.planning.config import (
    Files,
    from_command_line,
    load_yaml,
    merge,
    resolve_recipe,
    validate,
)
from penumbra.planning.options import check_config
from penumbra.planning.paths import CLEAN, path


def known(kind: str, name: str, valid: Any, where: str) -> None:
    """Refuse a name that nothing answers to."""
    if name not in valid:
        raise unknown(kind, name, valid, where)


class World:
    """The config as Snakemake merged it, and the tables and data sets that it names.

    Raises:
        PenumbraError: an unknown key or name, or a data set that is needed and missing.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path, files: list[Path]):
        self.folder, self.files = folder, files
        schemas = folder / "schemas"
        catalogue = folder / "datasets.yaml"
        schema = load_yaml(schemas / "config.schema.yaml")
        self.config = from_command_line(config, schema)
        check_config(self.config, schema, files)
        given = self.config.get("datasets", {})
        self.datasets = merge(load_yaml(catalogue), given)
        schema = load_yaml(schemas / "datasets.schema.yaml")
        validate(self.datasets, schema, [catalogue, *files], under="datasets")
        self.datasets = {n: resolved(d, folder / "classes") for n, d in self.datasets.items()}
        self.name = self.config["world"]
        root = self.config["data_root"]
        self.root = Path(root) if root else None
        self._check_names()

    def results(self, path: str) -> str:
        """Where an artifact lies, from its path inside the world; wildcards stay."""
        return f"results/{self.name}/{path}"

    def logs(self, path: str) -> str:
        """Where a job's log lies, from its path inside the world; wildcards stay."""
        return f"logs/{self.name}/{path}"

    def _check_names(self) -> None:
        c = self.config
        for name, entry in c["image_sets"].items():
            self._known_data_set(name, entry["dataset"])
            self._check_image_set(name, entry)
        for name, entry in c["benchmarks"].items():
            listed = [*self.own(name), *(s for g in entry["ood"].values() for s in g)]
            for image_set in listed:
                self._known("image set", image_set, c["image_sets"], f"benchmarks.{name}")
            self._check_models_of(name, entry)
        for role, benchmark in c["roles"].items():
            self._known("benchmark", benchmark, c["benchmarks"], f"roles.{role}")
        for name in c["recipes"]:
            for backbone in c["recipes"][name].get("backbones", {}):
                self._known("backbone", backbone, c["backbones"], f"recipes.{name}.backbones")
            extends = c["recipes"][name].get("extends")
            if extends is not None:
                self._known("recipe", extends, c["recipes"], f"recipes.{name}.extends")
            resolve_recipe(c["recipes"], name, "")
        for name, scorer in c["scorers"].items():
            for kind in ("benchmarks", "backbones"):
                for given in scorer.get(kind, {}):
                    self._known(kind[:-1], given, c[kind], f"scorers.{name}.{kind}")

    def _check_image_set(self, name: str, entry: Mapping[str, Any]) -> None:
        if "classes" in entry and "classes_file" in entry:
            raise PenumbraError(f"image_sets.{name}: give `classes` or `classes_file`, not both")
        reader = self.datasets[entry["dataset"]]["reader"]
        for key in ("semantic", "covariate"):
            if key in entry and reader != "shifted":
                raise PenumbraError(
                    f"image_sets.{name}.{key}: only data sets of the reader `shifted` have levels "
                    f"of shift, and {entry['dataset']} is of `{reader}`"
                )

    def _check_models_of(self, name: str, entry: Mapping[str, Any]) -> None:
        if "models_of" not in entry:
            return
        benchmarks = self.config["benchmarks"]
        self._known("benchmark", entry["models_of"], benchmarks, f"benchmarks.{name}.models_of")
        if benchmarks[entry["models_of"]]["train"] != entry["train"]:
            raise PenumbraError(
                f"benchmarks.{name}: it reads models of {entry['models_of']}, so it names the same "
                "`train`, whose classes those models know"
            )

    def own(self, benchmark: str) -> list[str]:
        """The image sets of a benchmark beside its OOD sets."""
        entry = self.config["benchmarks"][benchmark]
        singles = (entry.get(key) for key in ("train", "test", "heldout", "calibration_ood"))
        return [*filter(None, singles), *entry.get("shifted", [])]

    def _known(self, kind: str, name: str, valid: Any, where: str) -> None:
        if name not in valid:  # only then is the file looked for
            known(kind, name, valid, f"{Files(self.files).holder(where.split('.'))}: {where}")

    def _known_data_set(self, image_set: str, dataset: str) -> None:
        try:
            self._known("data set", dataset, self.datasets, f"image_sets.{image_set}.dataset")
        except PenumbraError as error:
            raise PenumbraError(
                f"{error}. A data set of your own is an entry of `datasets` in your config file, "
                "with the keys that config/datasets.yaml gives its own"
            ) from error

    @functools.cache  # noqa: B019
    def table(self, name: str) -> dict[str, Any]:
        """A table's or figure's YAML, checked.

        Raises:
            PenumbraError: there is no such file, or a key in it is unknown.
        """
        file = self.folder / "tables" / f"{name}.yaml"
        if not file.is_file():
            valid = (p.stem for p in (self.folder / "tables").glob("*.yaml"))
            raise unknown("table or figure", name, valid, "config")
        data = load_yaml(file)
        kind = "figure" if "figure" in name else "table"
        validate(data, load_yaml(self.folder / "schemas" / f"{kind}.schema.yaml"), [file])
        base = self.table(data.pop("like")) if "like" in data else {}
        return {**base, **data, "name": name}

    def images(self, names: Iterable[str]) -> list[str]:
        """Artifacts of image sets."""
        return [path(self.name, "images", image_set=name) for name in names]

    def images_of(self, benchmark: str, role: str) -> str:
        """The training (`train`), test or held-out images of a benchmark."""
        return self.images([self.config["benchmarks"][benchmark][role]])[0]

    def backbone(self, name: str) -> dict[str, Any]:
        """A backbone's config."""
        known("backbone", name, self.config["backbones"], "backbone")
        return self.config["backbones"][name]

    def image_set(self, name: str) -> dict[str, Any]:
        """An image set's config."""
        known("image set", name, self.config["image_sets"], "image set")
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
        known("backbone", row["backbone"], self.config["backbones"], "backbone")
        known("recipe", row["recipe"], self.config["recipes"], "recipe")
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
        role = row.get("benchmark", "main")
        known("role", role, self.config["roles"], "benchmark")
        return self.config["roles"][role]

    def trained_on(self, benchmark: str) -> str:
        """The benchmark whose models are read on `benchmark`: itself, or its `models_of`."""
        return self.config["benchmarks"][benchmark].get("models_of", benchmark)

    def input_of(self, row: Mapping[str, Any]) -> str:
        """`clean`, or `map-<recipe>` for x + L with the map that a run of the recipe learned."""
        given = row.get("input", CLEAN)
        if given == CLEAN:
            return CLEAN
        recipe = row["recipe"] if given == "map" else given["map_of"]
        known("recipe", recipe, self.config["recipes"], "input")
        if resolve_recipe(self.config["recipes"], recipe, "")["method"] != "uat":
            raise PenumbraError(f"row {row['label']}: recipe {recipe} learns no universal map")
        return f"map-{recipe}"

    def scorer_of(self, row: Mapping[str, Any]) -> str:
        """The scorer of a row."""
        known("scorer", row["scorer"], self.config["scorers"], "scorer")
        return row["scorer"]

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

    def figure_entries(self) -> list[dict[str, Any]]:
        """What all figures are drawn from, as their YAML says; without what is declared missing."""
        entries = (
            e for name in self.config["figures"] for e in self.table(name)["inputs"].values()
        )
        return [entry for entry in entries if "missing" not in entry]
