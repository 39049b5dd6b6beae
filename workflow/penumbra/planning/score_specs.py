"""The one param of the rules that fit and apply scorers (see `specs`)."""

from collections.abc import Mapping
from typing import Any

from penumbra.planning import needs, scorers
from penumbra.planning.specs import image_roles, reader, spec
from penumbra.planning.world import World


def _root(entry: Mapping[str, Any]) -> str:
    return f"penumbra.scores.{entry['module']}"


def _score_config(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": entry["module"],
        "options": entry.get("options", {}),
        "needs": needs.needs(entry),
    }


def scores(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer."""
    entry = scorers.scorer(world, names)
    return spec("scores", _score_config(entry), [_root(entry)], names)


def scores_network(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer, the network, image sets of the benchmark, compute."""
    entry = scorers.scorer(world, names)
    config, roots = reader(world, names)
    config |= image_roles(world, names["benchmark"]) | _score_config(entry)
    return spec("scores_network", config, [*roots, _root(entry)], names)


def _fit_config(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": entry["module"],
        "options": scorers.fit_options(entry),
        "needs": needs.fit_needs(entry),
        "role": needs.fit_role(entry),
        "images": entry.get("fit", {}).get("images"),
    }


def fits(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer's fit."""
    entry = scorers.scorer(world, names)
    return spec("fits", _fit_config(entry), [_root(entry)], names)


def fits_network(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer's fit, the network, the image set that it is fitted on, compute."""
    entry = scorers.scorer(world, names)
    config, roots = reader(world, names)
    found = _fit_config(entry)
    benchmark = world.config["benchmarks"][names["benchmark"]]
    config |= found | {"image_set": benchmark[found["role"]]}
    return spec("fits_network", config, [*roots, _root(entry)], names)


def latency(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer and the network that it is measured on."""
    entry = scorers.scorer(world, names)
    wanted = needs.needs(entry)
    config, roots = reader(world, names)
    config |= {
        "module": entry["module"],
        "options": entry.get("options", {}),
        "statistics": wanted,
    }
    return spec("latency", config, [*roots, _root(entry)], names)
