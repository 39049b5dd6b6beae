"""The metrics of a world as one pandas frame."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS, bound_names
from penumbra.evaluation.resampling import draws_of
from penumbra.options.check import shown
from penumbra.planning.config import merge
from penumbra.planning.yaml_files import load_yaml
from penumbra.public.evaluation import check_confidence, ends
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import matrix

RESULTS = Path("results")
MODEL = ("benchmark", "backbone", "recipe", "seed", "input")
COLUMNS = (
    *MODEL,
    *("scorer", "block", "instead_of", "image_set", "role", "group", "n", "metric"),
    *("value", "low", "high", "conformal_low", "conformal_high"),
)
Row = dict[str, Any]


def frame(
    world_or_folder: str | Path, *, config: Sequence[str | Path] = (), confidence: float = 0.95
) -> pd.DataFrame:
    """Every metric of scores and every accuracy that a world has computed so far, a row each.

    A row is a number of one model (`benchmark`, `backbone`, `recipe`, `seed`, `input`), `scorer`,
    `block` that it reads (empty: none; `instead_of`: the one asked for, where a map lies behind
    it) and `image_set`: `metric`, its `value`, the interval from `low` to `high` over test images
    of this one seed, and `conformal_low`, `conformal_high`. `n` counts the set's images, `role` is
    ood, or for accuracies train, heldout, test or shifted. Shares lie in [0, 1], as in the
    artifacts, and not in percent; norms have the unit of the scores. NaN: there is none.

    Args:
        world_or_folder: a world's name, whose results lie in `results/<world>`, or that folder.
        config: config files of the world, first to last as Snakemake was given them, for the
            column `group` (near, far, …) of OOD image sets, which no artifact knows.
        confidence: the level of the intervals, in (0, 1).

    Raises:
        PenumbraError: nothing is computed there, a file is damaged, a config is none of a world,
            or a level outside (0, 1).
    """
    check_confidence(confidence)
    folder = _folder(world_or_folder)
    groups = _groups(config)
    rows = [*_of_scores(folder, groups, confidence), *_accuracies(folder)]
    if not rows:
        raise PenumbraError(
            f"{folder}: holds no metrics and no accuracy yet; compute some, as by "
            "`snakemake all_tables`"
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": int, "n": int})


def _folder(given: str | Path) -> Path:
    """Where the results of a world lie."""
    if not isinstance(given, str | Path):
        raise PenumbraError(f"{given!r} names no world; give its name or its folder, as a text")
    tries = [RESULTS / given, Path(given)]
    there = [folder for folder in tries if folder.is_dir()]
    if there:
        return there[0]
    worlds = sorted(path.name for path in RESULTS.glob("*") if path.is_dir())
    told = f"worlds with results here: {', '.join(worlds)}" if worlds else "no world has any here"
    raise PenumbraError(f"neither {tries[0]} nor {tries[1]} is a folder; {told}")


def _groups(config: Sequence[str | Path]) -> Mapping[tuple[str, str], str]:
    """The group of each OOD image set by benchmark; the first one, where it is in several."""
    files = [config] if isinstance(config, str | Path) else config
    if not isinstance(files, Sequence) or not all(isinstance(f, str | Path) for f in files):
        raise PenumbraError(f"config: {config!r}; give a list of files, as ['config/config.yaml']")
    merged: dict[str, Any] = {}
    for file in files:
        merged = merge(merged, load_yaml(Path(file)))
    by_set: dict[tuple[str, str], str] = {}
    for benchmark, entry in _mapping(merged.get("benchmarks", {}), "benchmarks").items():
        place = f"benchmarks.{benchmark}"
        groups = _mapping(_mapping(entry, place).get("ood", {}), f"{place}.ood")
        for group, names in groups.items():
            for name in _listed(names, f"{place}.ood.{group}"):
                by_set.setdefault((benchmark, name), group)
    return by_set


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PenumbraError(f"config: {place} is {shown(value)}, no mapping; name entries there")
    return value


def _listed(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise PenumbraError(f"config: {place} is {shown(value)}; give a list of image sets' names")
    return value


def _of_scores(
    folder: Path, groups: Mapping[tuple[str, str], str], confidence: float
) -> Iterator[Row]:
    for file, model in _artifacts(folder / "metrics"):
        drawn = _drawn(draws_of(file))
        for row in read_parquet(file).to_pylist():
            key = row["scorer"], row["image_set"]
            about = {k: row.get(k) for k in ("scorer", "block", "instead_of", "image_set")}
            about |= {"role": "ood", "n": row["n_ood"]}
            about["group"] = groups.get((model["benchmark"], row["image_set"]))
            for metric in (name for name, m in METRICS.items() if m.of and name in row):
                yield {
                    **model,
                    **about,
                    **_numbers(row, metric, drawn.get(key, {}).get(metric), confidence),
                }


def _numbers(row: Row, metric: str, draws: np.ndarray | None, confidence: float) -> Row:
    """One metric: its value, interval and bounds; without draws it has no interval."""
    value = np.nan if row[metric] is None else row[metric]
    made: Row = {"metric": metric, "value": value}
    if draws is not None:
        made["low"], made["high"] = ends(metric, value, draws, confidence)
    bounds = zip(("conformal_low", "conformal_high"), bound_names(metric), strict=True)
    return made | {end: row.get(name) for end, name in bounds}


def _drawn(file: Path) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Metrics under resampled images (DRAWS,) by scorer and image set; none in older results."""
    if not file.is_file():
        return {}
    table = read_parquet(file)
    keys = list(zip(*(table[k].to_pylist() for k in ("scorer", "image_set")), strict=True))
    values = {
        name: matrix(table[name]).astype(np.float64)
        for name in table.column_names
        if name in METRICS
    }
    return {key: {name: v[i] for name, v in values.items()} for i, key in enumerate(keys)}


def _accuracies(folder: Path) -> Iterator[Row]:
    """By image set, of all images and of those whose class the model knows."""
    kinds = (("accuracy", "accuracy", "n"), ("matched_accuracy", "matched_accuracy", "n_matched"))
    for file, model in _artifacts(folder / "accuracy"):
        for row in read_parquet(file).to_pylist():
            about = {"image_set": row["image_set"], "role": row["role"]}
            for kind, value, count in kinds:
                metric = f"{row['role']}_{kind}"
                if metric in METRICS and row[count]:
                    yield model | about | {"n": row[count], "metric": metric, "value": row[value]}


def _artifacts(folder: Path) -> Iterator[tuple[Path, Row]]:
    """The Parquet files of a stage with the model that each is about, in order of their names."""
    for file in sorted(folder.rglob("*.parquet")):
        if file.parent.name != "draws":
            names = provenance_of(file)["wildcards"]
            yield file, {key: names[key] for key in MODEL}
