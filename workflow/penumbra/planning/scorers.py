"""A scorer as a benchmark and a backbone have it: options, inputs, and what it is fitted on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.planning import needs
from penumbra.planning.config import merge
from penumbra.planning.paths import path

OWN = ("module", "block", "options", "fit", "weights")
# Keys of `fit` that choose the images; the others are arguments of the scorer's fit().
CHOICE = ("role", "images")


def scorer(world: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """The entry of `names["scorer"]` with what it has of its own for benchmark and backbone.

    The benchmark is the one that the model was trained on: a parameter belongs to ID data.
    """
    entry = world.config["scorers"][names["scorer"]]
    found = {key: entry[key] for key in OWN if key in entry}
    benchmark = world.trained_on(names["benchmark"])
    for kind, name in (("benchmarks", benchmark), ("backbones", names["backbone"])):
        found = merge(found, entry.get(kind, {}).get(name, {}))
    return found


def check(world: Any, names: Mapping[str, str]) -> None:
    """Refuse a scorer that could not be fitted or read.

    Raises:
        PenumbraError: it wants held-out images that the benchmark lacks, its block is not named,
            its weights are not there, an argument is unknown, or it is not for such a network.
    """
    entry = scorer(world, names)
    wanted = needs.needs(entry)
    name = names["scorer"]
    _check_arguments(name, entry)
    _check_head(world, entry, names)
    if needs.of_block(wanted) and "block" not in entry:
        raise PenumbraError(f"scorer {name}: it reads a feature map; name its `block`, or selected")
    if "weights" in entry and not weights_file(world, entry).is_file():
        raise PenumbraError(
            f"scorer {name}: {weights_file(world, entry)} is missing; put the safetensors file of "
            "its weights there, or name another folder with weights_root"
        )
    if "weights" in entry or not needs.fit_needs(entry):
        return
    benchmark = world.trained_on(names["benchmark"])
    role = needs.fit_role(entry)
    if role not in world.config["benchmarks"][benchmark]:
        raise PenumbraError(
            f"scorer {name} is fitted on held-out ID images, and benchmark {benchmark} names no "
            "`heldout`; name an image set there, or give the scorer `fit: {role: train}`"
        )


def check_latency(world: Any, names: Mapping[str, str]) -> None:
    """Refuse a scorer whose latency is not measured.

    Raises:
        PenumbraError: it reads no block, or could not be read at all (see `check`).
    """
    check(world, names)
    if not needs.of_block(needs.needs(scorer(world, names))):
        raise PenumbraError(
            f"scorer {names['scorer']}: latency is measured of block scorers only; name another, "
            "as fn"
        )


def _check_arguments(name: str, entry: Mapping[str, Any]) -> None:
    known = needs.declared(entry["module"])
    if "fit" in entry and known.fit is None:
        raise PenumbraError(f"scorer {name}: module {entry['module']} fits nothing; drop its `fit`")
    given = {"score": entry.get("options", {}), "fit": fit_options(entry)}
    for function, options in given.items():
        valid = known.arguments.get(function, options)
        for option in options:
            if option not in valid:
                kind = "option" if function == "score" else "fit"
                raise unknown(kind, option, valid, f"scorer {name}, {function}()")


def _check_head(world: Any, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """A head of GODIN's is no linear layer, and GODIN's score is of no other."""
    has_head = "head" in world.backbone(names["backbone"])
    is_godin = entry["module"] == "godin"
    if is_godin and not has_head:
        raise PenumbraError(
            f"scorer {names['scorer']}: backbone {names['backbone']} has no GODIN head; give one "
            "`head: {similarity: cosine}`"
        )
    reads_head = "head" in (*needs.needs(entry), *needs.fit_needs(entry))
    if has_head and reads_head:
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads a linear last layer, and backbone "
            f"{names['backbone']} has a head of its own"
        )


def features(world: Any, names: Mapping[str, str]) -> list[str]:
    """The reading of the model that a scorer of arrays scores."""
    entry = scorer(world, names)
    kind = needs.stage(needs.needs(entry))
    return [path(world.name, kind, **names, block=entry.get("block"))]


def head(world: Any, names: Mapping[str, str]) -> list[str]:
    """The checkpoint that a scorer of arrays reads the last layer from, where it wants it."""
    return _head(world, needs.needs(scorer(world, names)), names)


def fit_head(world: Any, names: Mapping[str, str]) -> list[str]:
    """The same for its fit, where the scorer is for such a model at all."""
    check(world, names)
    return _head(world, needs.fit_needs(scorer(world, names)), names)


def _head(world: Any, wanted: tuple[str, ...], names: Mapping[str, str]) -> list[str]:
    """The checkpoint that the last layer is read from, where it is wanted."""
    trained = {**names, "benchmark": world.trained_on(names["benchmark"])}
    return [path(world.name, "models", **trained)] if "head" in wanted else []


def fitted(world: Any, names: Mapping[str, str]) -> list[str]:
    """What the scorer was fitted to, or the file of weights that the config gives it.

    Raises:
        PenumbraError: the scorer is not for such a model (see `check`).
    """
    check(world, names)
    entry = scorer(world, names)
    if "weights" in entry:
        return [str(weights_file(world, entry))]
    if not needs.fit_needs(entry):
        return []
    trained = {**names, "benchmark": world.trained_on(names["benchmark"])}
    return [path(world.name, "fits", **{**trained, "scorer": _first_alike(world, trained)})]


def _first_alike(world: Any, names: Mapping[str, str]) -> str:
    """The first scorer of the config with the same fit: what several need is fitted once."""
    wanted = _fit_identity(world, names)
    scorers = world.config["scorers"]
    alike = (s for s in scorers if _fit_identity(world, {**names, "scorer": s}) == wanted)
    return next(alike)


def _fit_identity(world: Any, names: Mapping[str, str]) -> tuple[str, Any]:
    entry = scorer(world, names)
    return entry["module"], entry.get("fit", {})


def weights_file(world: Any, entry: Mapping[str, Any]) -> Path:
    """Where a scorer's file of weights lies."""
    return Path(world.config["weights_root"]) / entry["weights"]


def is_of_network(world: Any, name: str) -> bool:
    """Whether a configured scorer is given the network and the images."""
    return needs.of_network(needs.needs(world.config["scorers"][name]))


def is_fitted_through_network(world: Any, name: str) -> bool:
    """Whether a configured scorer's fit() is given the network and the images."""
    return needs.of_network(needs.fit_needs(world.config["scorers"][name]))


def fit_options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a scorer's fit()."""
    return {key: value for key, value in entry.get("fit", {}).items() if key not in CHOICE}
