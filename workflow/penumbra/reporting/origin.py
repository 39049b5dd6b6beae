"""What a figure was drawn from, in small letters below it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from penumbra.store.artifacts import provenance_of


def origin(files: Mapping[str, Sequence[Path]], options: Mapping[str, Any]) -> str:
    """Benchmarks and training seeds of a figure's files, from what is written inside them.

    A table was made for several of both. A figure without files has points of its own, drawn with
    the seed of its options.
    """
    if not files:
        return f"points in the plane, of no benchmark; seed {options['seed']}"
    made = [provenance_of(file) for paths in files.values() for file in paths]
    benchmarks = sorted({name for each in made for name in _named(each, "benchmark")})
    seeds = sorted({int(seed) for each in made for seed in _named(each, "seed")})
    return "; ".join(_listed(*pair) for pair in (("benchmark", benchmarks), ("seed", seeds)))


def _named(made: Mapping[str, Any], kind: str) -> list[Any]:
    """Benchmarks, or seeds, of one file."""
    if made.get("rule") == "tables":
        return list(made["config"][f"{kind}s"])
    return [made["wildcards"][kind]] if kind in made["wildcards"] else []


def _listed(word: str, values: Sequence[object]) -> str:
    plural = "s" if len(values) > 1 else ""
    return f"{word}{plural} {', '.join(map(str, values))}"


def sign(figure: Figure, text: str) -> None:
    """Write the text below the figure, which grows by it when it is saved."""
    figure.text(0.01, -0.005, text, ha="left", va="top", fontsize=7, color="0.35")
