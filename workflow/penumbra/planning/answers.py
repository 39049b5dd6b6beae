"""What there is to be named: entries of the config, data sets, modules, files of config/."""

import functools
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from penumbra.audit.closure import PACKAGE
from penumbra.planning.tables import SOURCES

SECTIONS = (
    *("image_sets", "benchmarks", "roles", "backbones", "recipes", "scorers"),
    *("parts", "outliers", "calibrations", "filters"),
)
# Modules that config names, by the functions that they define.
MODULES = {
    "scorer_modules": ("scores", ""),
    "networks": ("networks", r"^def build\(\s*classes\b"),
    "calibration_modules": ("calibration", r"^def probability\b"),
    "figure_modules": ("reporting", r"^def draw\(\s*files\b"),
}


def answers(
    config: Mapping[str, Any], datasets: Mapping[str, Any], folder: Path
) -> dict[str, Collection[str]]:
    """Per kind of `x-names`, the names that are answered; `folder` is config/."""
    sections = {kind: config.get(kind) for kind in SECTIONS}
    found: dict[str, Collection[str]] = {
        kind: entries if isinstance(entries, Mapping) else {} for kind, entries in sections.items()
    }
    reports = [file.stem for file in (folder / "tables").glob("*.yaml")]
    return {
        **found,
        **{kind: modules(kind) for kind in MODULES},
        "datasets": datasets,
        "class_lists": [file.stem for file in (folder / "classes").glob("*.txt")],
        "metrics": SOURCES,
        "tables": [name for name in reports if not is_figure(name)],
        "figures": [name for name in reports if is_figure(name)],
    }


def is_figure(name: str) -> bool:
    """Whether a file of config/tables says how a figure is drawn; the others are of tables."""
    return "figure" in name


@functools.cache
def modules(kind: str) -> tuple[str, ...]:
    """The modules of the package that config may name as one kind."""
    package, sign = MODULES[kind]
    files = sorted((PACKAGE / package).glob("[!_]*.py"))
    return tuple(f.stem for f in files if re.search(sign, f.read_text("utf-8"), re.MULTILINE))
