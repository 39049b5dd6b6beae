"""Figures: what their rule asks of a world."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.options.offered import is_offered, offered
from penumbra.planning import scorers
from penumbra.planning.class_names import words
from penumbra.planning.left_out import inputs
from penumbra.planning.networks import network
from penumbra.planning.outlier_training import shard_files
from penumbra.planning.parts import sampled_around
from penumbra.planning.paths import path
from penumbra.planning.requirements import require_figure
from penumbra.planning.spec import spec
from penumbra.planning.world import World

# What is read from a model on a benchmark's images, which need not be those that it trained on.
READINGS = ("outputs", "scores", "metrics")


class Figures:
    """The rule `figures`."""

    def __init__(self, world: World):
        self._world = world

    def files(self, names: Mapping[str, str]) -> list[str]:
        """What a figure is drawn from.

        Raises:
            PenumbraError: all of its data that are missing, or an input that cannot be.
        """
        name = names["figure"]
        require_figure(self._world, name)
        try:
            listed = self.inputs(name).values()
        except PenumbraError as error:
            raise PenumbraError(f"{self._world.reports.file(name)}: {error}") from error
        return list(dict.fromkeys(file for files in listed for file in files))

    def inputs(self, name: str) -> dict[str, list[str]]:
        """The artifacts that a figure's YAML names, by their role in it."""
        entries = inputs(self._world, name).items()
        return {role: self._artifacts(e) for role, e in entries if "missing" not in e}

    def spec(self, names: Mapping[str, str]) -> str:
        """Reads: the figure's YAML.

        Raises:
            PenumbraError: it names a module that draws no figure.
        """
        name = names["figure"]
        figure = self._world.table(name)
        module = figure.get("module", name)
        if not is_offered("figure module", module):
            valid = offered("figure module")
            raise unknown("figure module", module, valid, str(self._world.reports.file(name)))
        networks, roots = self._modules(name)
        entries = inputs(self._world, name).items()
        config = {
            "title": figure["title"],
            "module": module,
            "options": figure.get("options", {}),
            "missing": {k: e["missing"] for k, e in entries if "missing" in e},
            "labels": {k: e["label"] for k, e in entries if "label" in e},
            "inputs": self.inputs(name),
            "networks": networks,
            "words": self._words(figure),
            "scorers": {k: e["scorer"] for k, e in entries if "scorer" in e},
        }
        return spec(
            "figures", config, [f"penumbra.reporting.figures.{module}", *roots], {"figure": name}
        )

    def _words(self, figure: Mapping[str, Any]) -> dict[str, str]:
        """What the classes are called, of a figure that chooses some of its training images'."""
        if "classes" not in figure.get("options", {}):
            return {}
        return words(self._world, self._world.benchmark_of(figure["inputs"]["train"]))

    def _modules(self, figure: str) -> tuple[dict[str, Any], list[str]]:
        """Networks that a figure runs, by role, and the modules that its inputs name."""
        networks: dict[str, Any] = {}
        roots: list[str] = []
        given = inputs(self._world, figure).items()
        for role, entry in ((role, e) for role, e in given if "missing" not in e):
            if entry["kind"] == "models":
                names = self._world.model(entry)
                backbone, root = network(self._world, names)
                benchmark = self._world.config["benchmarks"][names["benchmark"]]
                networks[role] = {
                    "backbone": backbone,
                    "normalisation": benchmark["normalisation"],
                }
                roots += root
            elif entry["kind"] == "calibrations":
                module = self._world.config["calibrations"][entry["calibration"]]["module"]
                roots.append(f"penumbra.calibration.maps.{module}")
        return networks, roots

    def _artifacts(self, entry: dict[str, Any]) -> list[str]:
        """The files of one input of a figure: one, or all shards, or one a seed."""
        world, kind = self._world, entry["kind"]
        if kind == "tables":
            return [path(world.name, kind, table=entry["table"])]
        benchmark = world.benchmark_of(entry)
        if kind == "images":
            return world.images([self._image_set(benchmark, entry)])
        if kind == "outliers":
            return shard_files(world, kind, benchmark, entry["outliers"])
        if kind in ("embeddings", "representations"):
            around = sampled_around(world, benchmark, entry["outliers"])
            shards = shard_files(world, "embeddings", benchmark, entry["outliers"])
            return [around] if kind == "representations" else shards
        names = world.model(entry)
        extra = {key: entry.get(key) for key in ("calibration", "scorer")}
        extra["input"] = world.input_of(entry)
        seeds = world.config["seeds"] if entry.get("seeds") == "all" else world.config["seeds"][:1]
        if kind == "scores":
            scorers.check(world, {**names, "scorer": entry["scorer"]})
        if kind not in READINGS:
            names["benchmark"] = world.trained_on(benchmark)
        return [path(world.name, kind, **names, **extra, seed=seed) for seed in seeds]

    def _image_set(self, benchmark: str, entry: dict[str, Any]) -> str:
        chosen = entry["image_set"]
        if not isinstance(chosen, int):
            return self._world.config["benchmarks"][benchmark][chosen]
        there = self._world.all_ood(benchmark)
        if chosen >= len(there):
            raise PenumbraError(
                f"a figure shows OOD image set number {chosen} of {benchmark}, which has "
                f"{', '.join(there) or 'none'} here"
            )
        return there[chosen]
