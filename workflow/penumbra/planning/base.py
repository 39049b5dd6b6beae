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


def base(folder: Path, config: Mapping[str, Any]) -> tuple[list[Path], dict[str, Any]]:
    """The files of config/ that a world is laid over, and what they say together.

    `folder` is config/, `config` what the user gives: with `base: own` in it, images, networks,
    recipes and tables are those that it names itself.
    """
    files = [folder / EMBEDDED]
    laid = load_yaml(files[0])
    if config.get("base") != "own":
        return files, laid
    methods = {key: laid[key] if key in METHODS else {} for key in SECTIONS | METHODS}
    methods["scorers"] = {name: _plain(entry) for name, entry in laid["scorers"].items()}
    return [*files, folder / OWN], merge(methods, load_yaml(folder / OWN))


def _plain(scorer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in scorer.items() if key not in CHANGES}
