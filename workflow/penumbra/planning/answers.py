"""What there is to be named: entries of the config, data sets, modules, files of config/."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from penumbra import plugins
from penumbra.evaluation.metrics import METRICS
from penumbra.options.offered import offered

SECTIONS = (
    *("image_sets", "benchmarks", "roles", "backbones", "recipes", "scorers"),
    *("parts", "outliers", "calibrations", "filters"),
)


def answers(
    config: Mapping[str, Any], datasets: Mapping[str, Any], reports: Collection[str], folder: Path
) -> dict[str, Collection[str]]:
    """Per kind of `x-names`, the names that are answered.

    `reports` are the names of all tables and figures that have a file; `folder` is config/.
    """
    sections = {kind: config.get(kind) for kind in SECTIONS}
    names_by_kind: dict[str, Collection[str]] = {
        kind: entries if isinstance(entries, Mapping) else {} for kind, entries in sections.items()
    }
    return {
        **names_by_kind,
        "tested": [*names_by_kind["roles"], *names_by_kind["benchmarks"]],
        "figure_modules": offered("figure module"),
        "rules": rules(),
        "datasets": datasets,
        "class_lists": [file.stem for file in (folder / "classes").glob("*.txt")],
        "word_lists": [file.stem for file in (folder / "words").glob("*.txt")],
        "metrics": METRICS,
        "tables": [name for name in reports if not is_figure(name)],
        "figures": [name for name in reports if is_figure(name)],
    }


def rules() -> list[str]:
    """The rules, each with a stage of its name, and `default` for any of them."""
    return ["default", *(name for name in plugins.names("stages") if name != "shared")]


def is_figure(name: str) -> bool:
    """Whether a file says how a figure is drawn; the others are of tables."""
    return "figure" in name
