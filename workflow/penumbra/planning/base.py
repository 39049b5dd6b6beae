"""What a world is laid over: the embedded world, or, for one of your own, its methods alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.planning.config import merge
from penumbra.planning.yaml_files import load_yaml

EMBEDDED, OWN = "config.yaml", "own.yaml"  # files of config/
# What of the embedded world says how is scored, and nothing about its images or networks.
METHODS = {"compute", "weights_root", "scorers", "calibrations", "filters"}
SECTIONS = {"image_sets", "benchmarks", "roles", "backbones", "recipes", "parts", "outliers"}
CHANGES = ("benchmarks", "backbones")  # what a scorer has of its own on some of them


def laid_over(folder: Path, given: Mapping[str, Any]) -> tuple[list[Path], dict[str, Any]]:
    """The files of config/ that a world is laid over, and the whole config, with what is `given`.

    `folder` is config/. With `base: own` in what is given, images, networks, recipes and tables are
    those that it names itself.
    """
    files = [folder / EMBEDDED]
    laid = load_yaml(files[0])
    if given.get("base") == "own":
        files.append(folder / OWN)
        laid = merge(_methods(laid), load_yaml(files[1]))
    return files, merge(laid, given)


def _methods(embedded: Mapping[str, Any]) -> dict[str, Any]:
    methods = {key: embedded[key] if key in METHODS else {} for key in SECTIONS | METHODS}
    methods["scorers"] = {name: _plain(entry) for name, entry in embedded["scorers"].items()}
    return methods


def _plain(scorer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if scorer is None:
        return None
    return {key: value for key, value in scorer.items() if key not in CHANGES}
