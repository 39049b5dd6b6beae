"""What there is to be named: entries of the config, data sets, modules, files of config/."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from penumbra.options.offered import offered
from penumbra.planning.sources import SOURCES

SECTIONS = (
    *("image_sets", "benchmarks", "roles", "backbones", "recipes", "scorers"),
    *("parts", "outliers", "calibrations", "filters"),
)


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
        "figure_modules": offered("figure module"),
        "datasets": datasets,
        "class_lists": [file.stem for file in (folder / "classes").glob("*.txt")],
        "metrics": SOURCES,
        "tables": [name for name in reports if not is_figure(name)],
        "figures": [name for name in reports if is_figure(name)],
    }


def is_figure(name: str) -> bool:
    """Whether a file of config/tables says how a figure is drawn; the others are of tables."""
    return "figure" in name
