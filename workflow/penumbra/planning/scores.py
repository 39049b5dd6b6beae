"""Scores: what the rules that fit and apply scorers ask of a world."""

from collections.abc import Mapping
from typing import Any

from snakemake.exceptions import WorkflowError

from penumbra.planning import needs
from penumbra.planning.networks import float32_reader, image_roles, reader
from penumbra.planning.outlier_training import model_of, trained
from penumbra.planning.parts import weights_file
from penumbra.planning.paths import one_of, path
from penumbra.planning.readings import Readings
from penumbra.planning.scorers import check, check_latency, scorer, second_model
from penumbra.planning.spec import spec
from penumbra.planning.tables import Tables
from penumbra.planning.world import World


class Scores:
    """The rules `fits`, `fits_network`, `scores`, `scores_network`, `metrics` and `latency`."""

    def __init__(self, world: World, readings: Readings, tables: Tables):
        self._world, self._readings, self._tables = world, readings, tables

    def scorers(self, *, of_network: bool) -> str:
        """A wildcard constraint: the scorers that are given the network, or those of arrays."""
        entries = self._world.config["scorers"].items()
        return one_of(n for n, e in entries if needs.of_network(needs.needs(e)) == of_network)

    def fitted_scorers(self, *, through_network: bool) -> str:
        """A wildcard constraint: the scorers that are fitted through the network, or on arrays."""
        wanted = ((n, needs.fit_needs(e)) for n, e in self._world.config["scorers"].items())
        return one_of(n for n, w in wanted if w and needs.of_network(w) == through_network)

    def fit_images(self, names: Mapping[str, str]) -> str:
        """The images that a scorer is fitted on through the network."""
        role = needs.fit_role(scorer(self._world, names))
        return self._world.images_of(names["benchmark"], role)

    def features(self, names: Mapping[str, str]) -> list[str]:
        """The reading of the model that a scorer of arrays scores."""
        entry = scorer(self._world, names)
        kind = needs.source(needs.needs(entry))
        return [path(self._world.name, kind, **names, block=entry.get("block"))]

    def second(self, names: Mapping[str, str]) -> list[str]:
        """The same images' outputs of the second model, of a scorer that reads two."""
        model = second_model(self._world, names)
        return [] if model is None else [path(self._world.name, "outputs", **model)]

    def head(self, names: Mapping[str, str]) -> list[str]:
        """The checkpoint that a scorer of arrays reads the last layer from, where it wants it."""
        return self._head(needs.needs(scorer(self._world, names)), names)

    def fit_head(self, names: Mapping[str, str]) -> list[str]:
        """The same for its fit, where the scorer is for such a model at all."""
        check(self._world, names)
        return self._head(needs.fit_needs(scorer(self._world, names)), names)

    def _head(self, wanted: tuple[str, ...], names: Mapping[str, str]) -> list[str]:
        return [self._readings.model(names)] if "head" in wanted else []

    def fitted(self, names: Mapping[str, str]) -> list[str]:
        """What the scorer was fitted to, the file of weights that the config gives it, or the
        checkpoint that holds what was learned for it.

        Raises:
            PenumbraError: the scorer is not for such a model.
        """
        check(self._world, names)
        entry = scorer(self._world, names)
        if "weights" in entry:
            return [str(weights_file(self._world, entry))]
        if needs.learned(entry):
            return [self._readings.model(names)]
        if not needs.fit_needs(entry):
            return []
        given = {**trained(self._world, names), "input": names["input"]}
        return [path(self._world.name, "fits", **given, scorer=self._first_alike(names))]

    def _first_alike(self, names: Mapping[str, str]) -> str:
        """The first scorer by name with the same fit: what several need is fitted once.

        Not by the config's order, so that scorers may be put in another one.
        """
        given = {**dict(names.items()), "benchmark": self._world.trained_on(names["benchmark"])}
        wanted = self._fit_identity(given)
        entries = self._world.config["scorers"].items()
        listed = sorted(name for name, entry in entries if "weights" not in entry)
        return next(s for s in listed if self._fit_identity({**given, "scorer": s}) == wanted)

    def _fit_identity(self, names: Mapping[str, str]) -> tuple[str, Any]:
        entry = scorer(self._world, names)
        return entry["module"], (entry.get("fit", {}), entry.get("second"))

    def fits_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the scorer's fit."""
        entry = scorer(self._world, names)
        config = {**_fit_config(entry), "second": _second(entry)}
        return spec("fits", config, [_root(entry)], names)

    def fits_network_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the scorer's fit, the network, the image set that it is fitted on, compute."""
        entry = scorer(self._world, names)
        config, roots = float32_reader(self._world, names)
        fit_config = _fit_config(entry)
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        config |= fit_config | {"image_set": benchmark[fit_config["role"]]}
        return spec("fits_network", config, [*roots, _root(entry)], names)

    def scores_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the scorer."""
        entry = scorer(self._world, names)
        config = {**_score_config(entry), "second": _second(entry)}
        return spec("scores", config, [_root(entry)], names)

    def scores_network_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the scorer, the network, image sets of the benchmark, compute."""
        entry = scorer(self._world, names)
        config, roots = float32_reader(self._world, names)
        config |= image_roles(self._world, names["benchmark"]) | _score_config(entry)
        return spec("scores_network", config, [*roots, _root(entry)], names)

    def measured(self, names: Mapping[str, str]) -> list[str]:
        """The scores that tables and figures show of one model and input, each once.

        Raises:
            WorkflowError: they show none.
        """
        key = (*model_of(names).values(), names["input"])
        shown = self._tables.shown_scorers().get(key, [])
        if not shown:
            raise WorkflowError(
                f"no table or figure of the world {self._world.name} shows a metric of this model; "
                "add a row to one, or ask for its scores: results/<world>/scores/…"
            )
        given = {**model_of(names), "input": names["input"]}
        return [path(self._world.name, "scores", **given, scorer=name) for name in shown]

    def metrics_spec(self, names: Mapping[str, str]) -> str:
        """Reads: nothing."""
        return spec("metrics", {}, [], names)

    def timed_block(self, names: Mapping[str, str]) -> list[str]:
        """How the block was chosen that a latency is measured at; none where one is named.

        Raises:
            PenumbraError: the scorer reads no block.
        """
        check_latency(self._world, names)
        return self._readings.chosen(names, scorer(self._world, names)["block"])

    def timed_images(self, names: Mapping[str, str]) -> str:
        """The test images that a latency is measured on."""
        return self._world.images_of(names["benchmark"], "test")

    def latency_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the scorer and the network that it is measured on."""
        entry = scorer(self._world, names)
        wanted = needs.needs(entry)
        config, roots = reader(self._world, names)
        config |= {
            "module": entry["module"],
            "options": entry.get("options", {}),
            "statistics": wanted,
            "block": entry["block"],
        }
        return spec("latency", config, [*roots, _root(entry)], names)


def _root(entry: Mapping[str, Any]) -> str:
    return f"penumbra.scores.{entry['module']}"


def _score_config(entry: Mapping[str, Any]) -> dict[str, Any]:
    config = {
        "module": entry["module"],
        "options": entry.get("options", {}),
        "needs": needs.needs(entry),
    }
    return config | ({"learned": True} if needs.learned(entry) else {})


def _second(entry: Mapping[str, Any]) -> dict[str, str]:
    """What is read of a second model, and by which recipe that is."""
    return {name: entry["second"] for name in needs.second(entry) if "second" in entry}


def _fit_config(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": entry["module"],
        "options": needs.fit_options(entry),
        "needs": needs.fit_needs(entry),
        "role": needs.fit_role(entry),
        "images": entry.get("fit", {}).get("images"),
    }
