"""Options of parts, outlier sets, calibrations and filters, held against what is stated of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from penumbra.options.check import Problem, Statement, examine, parameters
from penumbra.options.filter import Filter
from penumbra.options.loop import Recipe
from penumbra.options.offered import function, is_offered
from penumbra.options.ranges import Prior
from penumbra.options.signatures import Function
from penumbra.planning.layers import Layer, Placed, entries, laid, placed, together
from penumbra.planning.options_of_models import chosen
from penumbra.plugins import load

CALIBRATION = "calibration module"
# Keys of an outlier set that are no options of its kind.
CONFIGS_OWN = ("kind", "extends", "shards", "seed", "grey", "batch_size", "demands")


def parts(config: Any) -> Iterator[Placed]:
    """Networks of the parts, and how they are trained."""
    every = entries(config, "parts")
    for name in every:
        layers = laid("part", "parts", every, name)
        if layers is not None:
            yield from _part(layers)


def _part(layers: list[Layer]) -> Iterator[Placed]:
    entry = together(layers)
    wrong = list(chosen("kind", entry, whole=True))
    yield from placed(layers, wrong)
    if wrong:
        return
    kind, training = entry["kind"], entry.get("training")
    module = load("options.parts", kind)
    objective = getattr(module, "Objective", None)
    # Sizes of a loaded network follow from its file, but for what a loaded kind wants besides.
    own = getattr(module, "Training", None)
    whole = training is not None or (objective is None and own is None)
    yield from placed(layers, examine(module.Options, entry.get("options", {}), whole), "options")
    if training is not None and own is not None:
        yield from placed(layers, examine(own, training), "training")
    elif training is not None and objective is None:
        text = f"a {kind} is loaded from its `weights`, not trained here"
        yield from placed(layers, [Problem("together", ("training",), None, text)])
    elif training is not None:
        given = {"objective": {}, **training} if isinstance(training, Mapping) else training
        problems = examine(Recipe, given, beside={"objective": Statement(objective)})
        yield from placed(layers, problems, "training")


def outliers(config: Any) -> Iterator[Placed]:
    """How embeddings are sampled and become images."""
    every, known = entries(config, "outliers"), entries(config, "parts")
    for name in every:
        layers = laid("outliers", "outliers", every, name)
        if layers is None:
            continue
        entry = together(layers)
        wrong = list(chosen("outlier kind", entry, whole=True))
        yield from placed(layers, wrong)
        if wrong:
            continue
        mixed = [*_of_one_kind(layers)]
        yield from placed(layers, mixed)
        if mixed:
            continue
        kind = load("options.kinds", entry["kind"])
        apart = (*CONFIGS_OWN, *kind.PARTS, *(("decoding",) if "generator" in kind.PARTS else ()))
        own = {key: value for key, value in entry.items() if key not in apart}
        yield from placed(layers, examine(kind.Options, own))
        if "generator" in kind.PARTS:
            chain = laid("part", "parts", known, str(entry.get("generator")))
            made_by = decoding_of(together(chain or []).get("kind"))
            decoding = getattr(kind, "Decoding", made_by)
            if decoding is not None:
                problems = examine(decoding, entry.get("decoding", {}))
                yield from placed(layers, problems, "decoding")


def _of_one_kind(layers: list[Layer]) -> Iterator[Problem]:
    """A set has the kind of the one that it extends, whose keys are of that kind."""
    kinds = {place[-1]: entry["kind"] for place, entry in layers if "kind" in entry}
    (own, kind), *others = kinds.items()
    for other, its in others:
        if its != kind:
            text = (
                f"outliers {own} are of kind {kind} and extend {other}, of kind {its}, whose keys "
                "mean nothing to them; say all keys of the set, and no `extends`"
            )
            yield Problem("together", ("kind",), kind, text)
            return


def decoding_of(kind: Any) -> type | None:
    """How a kind of part makes images, if it does."""
    if not is_offered("kind", kind):
        return None
    return getattr(load("options.parts", kind), "Decoding", None)


def calibration(module: str) -> tuple[Function, dict[str, Statement]]:
    """The fit() of a map, and what stands beside its options: what it reads, and the prior."""
    fit = function(CALIBRATION, module, "fit")
    own = {name: each for name, each in fit.options.items() if name != "input"}
    read = {name: each for name, each in fit.options.items() if name == "input"}
    return fit._replace(options=own), read | {"prior": Statement(Prior)}


def calibrations(config: Any) -> Iterator[Placed]:
    """Maps, what they read, and their arguments."""
    for name, entry in entries(config, "calibrations").items():
        layers: list[Layer] = [(("calibrations", name), entry)]
        module = entry.get("module")
        yield from placed(layers, chosen(CALIBRATION, entry))
        fit, beside = None, {"prior": Statement(Prior)}
        if is_offered(CALIBRATION, module):
            fit, beside = calibration(str(module))
        given = {key: entry[key] for key in beside if key in entry}
        yield from placed(layers, parameters(beside, given, whole=False))
        if fit is not None:
            yield from placed(layers, fit.problems(entry.get("options", {})), "options")


def filters(config: Any) -> Iterator[Placed]:
    """Which outliers are kept."""
    for name, entry in entries(config, "filters").items():
        yield from placed([(("filters", name), entry)], examine(Filter, entry))
