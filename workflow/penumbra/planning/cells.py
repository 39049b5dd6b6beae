"""From a table's YAML to its cells, and from cells to the artifacts that they are read from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.evaluation.metrics import METRICS
from penumbra.planning import scorers
from penumbra.planning.left_out import why
from penumbra.planning.networks import head_of
from penumbra.planning.options_of_models import UNLABELLED, UNTRAINED
from penumbra.planning.outlier_training import detector, shard_files
from penumbra.planning.parts import anchors
from penumbra.planning.paths import CLEAN, path
from penumbra.planning.reported import printed_cell
from penumbra.planning.scorers import method_of
from penumbra.planning.world import MAIN, World
from penumbra.store.artifacts import run_record

OF_ALL = ("benchmark", "backbone", "recipe")  # what a table may say for all its rows
UNFILTERED = "it has no filter"
UNSAMPLED = "its outliers are made without it"
# The rule whose time a metric is; that of synthesis is all of them.
TIMED = {
    "features_seconds": "representations",
    "guidance_seconds": "embeddings",
    "images_seconds": "outliers",
}
OPTIONAL = {"heldout": "held-out", "shifted": "covariate-shifted"}  # roles of ID images
NO_SET = "this world has no such OOD image set"


@dataclass(frozen=True)
class Cell:
    """One cell of a table: where it stands and, per seed, which file its value is read from.

    `model` are benchmark, backbone and recipe behind it, and `role` is what the table calls the
    benchmark, which is empty where this world has none. `sets` are the OOD image sets whose mean
    is taken within a seed; empty for a metric of a model alone. `scorer` and `input` are those of a
    metric of scores. `outliers` are those that a count is about. `missing` says why a cell cannot
    be computed.
    """

    row: int
    row_label: str
    column: int
    column_label: str
    metric: str
    sets: tuple[str, ...]
    files: tuple[str, ...]
    missing: str | None
    reported: Mapping[str, str] | None
    outliers: str | None
    benchmark: str
    role: str
    model: Mapping[str, str] | None
    scorer: str | None
    input: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a rule's param: what decides the cell's value, place and rank."""
        apart = ("benchmark", "role", "model", "input")
        plain = {k: v for k, v in vars(self).items() if k not in apart}
        return {**plain, "backbone": self.model and self.model["backbone"]}


def expand(table: Mapping[str, Any], world: World) -> list[Cell]:
    """All cells of a table in one world, row by row."""
    cells = []
    columns = [*_columns(table, world)]
    if not columns:  # one for each image set, and not one is there: the table says so
        whole = [{k: v for k, v in c.items() if k != "sets"} for c in table["columns"]]
        columns = [(column.get("label", ""), column, []) for column in whole]
    for i, row in enumerate(table["rows"]):
        for j, (label, column, sets) in enumerate(columns):
            cell = {**{k: table[k] for k in OF_ALL if k in table}, **row}
            cell |= column.get("with", {})
            benchmark = world.tested(cell.get("benchmark")) or ""
            for metric in column["metrics"]:
                files, missing = _files(cell, metric, sets, world)
                cells.append(
                    Cell(
                        i,
                        row["label"],
                        j,
                        label,
                        metric,
                        tuple(sets),
                        files,
                        missing,
                        printed_cell(world, table, row, column, benchmark, sets),
                        cell.get("outliers"),
                        benchmark,
                        cell.get("benchmark", MAIN),
                        world.model(cell) if files and "recipe" in cell else None,
                        *_scored(cell, metric, files, world),
                    )
                )
    return cells


def _scored(
    cell: Mapping[str, Any], metric: str, files: tuple[str, ...], world: World
) -> tuple[str | None, str | None]:
    """Scorer and input of a cell whose value is a metric of scores."""
    if not files or not METRICS[metric].is_of_scores:
        return None, None
    return cell["scorer"], world.input_of(cell)


def backbone_named(table: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    """The backbone that `{backbone}` in a column's label stands for; empty where rows differ."""
    said = column.get("with", {}).get("backbone", table.get("backbone"))
    of_rows = {row.get("backbone", "") for row in table["rows"] if "missing" not in row}
    return said or (of_rows.pop() if len(of_rows) == 1 else "")


def _columns(table: Mapping[str, Any], world: World) -> Iterator[tuple[str, dict, list[str]]]:
    """Label, definition and OOD sets of every column that this world has."""
    for column in table["columns"]:
        with_ = column.get("with", {})
        role = with_.get("benchmark")
        is_null = role in world.config["roles"] and world.tested(role) is None
        benchmark = "" if is_null else world.benchmark_of({**table, **with_})
        ood_sets = world.ood(benchmark, column["group"]) if benchmark and "group" in column else []
        if column.get("sets") == "each" and not is_null:
            for name in ood_sets:
                yield world.label(name), column, [name]
        else:
            name = backbone_named(table, column)
            default = role if is_null else "Average" if ood_sets else ""
            label = column.get("label", default).format(
                benchmark=world.config["benchmarks"].get(benchmark, {"label": role})["label"],
                backbone=world.config["backbones"].get(name, {"label": name})["label"],
            )
            yield label, column, ood_sets


def _files(
    cell: Mapping[str, Any], metric: str, sets: list[str], world: World
) -> tuple[tuple[str, ...], str | None]:
    if "missing" in cell:
        return (), cell["missing"]
    if missing := why(world, cell):
        return (), missing
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS, f"row {cell['label']}")
    kind = METRICS[metric].artifact
    if kind == "outliers":
        return _timed(cell, metric, world)
    if kind == "metrics" and not sets:
        return (), NO_SET
    if kind == "categories" and "outliers" not in cell:
        raise PenumbraError(f"row {cell['label']}: say which `outliers` are counted")
    names = world.model(cell)
    if kind == "selections" and not (detector(world, names["recipe"]) or {}).get("filter"):
        return (), UNFILTERED
    if kind in ("history", "training-run") and is_given(world, names):
        return (), "it was not trained here"
    if kind in ("history", "accuracy", "theory") and method_of(world, names) in UNLABELLED:
        return (), "it is trained without labels and has no classes"
    if kind == "theory" and head_of(world, names["backbone"], names["recipe"]) is not None:
        return (), "its last layer is not linear"
    if kind in ("history", "training-run", "selections"):
        names |= {"benchmark": world.trained_on(names["benchmark"])}
    if kind == "accuracy":
        role = metric.split("_")[0]
        if role in OPTIONAL and not world.config["benchmarks"][names["benchmark"]].get(role):
            return (), f"its benchmark has no {OPTIONAL[role]} images"
        names |= {"input": CLEAN}  # as the papers' accuracies are (uat, Table 5)
    if kind == "theory":
        names |= {"input": world.input_of(cell)}
    if kind in ("metrics", "latency"):
        names |= {"input": world.input_of(cell), "scorer": cell["scorer"]}
        (scorers.check_latency if kind == "latency" else scorers.check)(world, names)
    seeds = world.config["seeds"][:1] if kind == "latency" else world.config["seeds"]
    return tuple(path(world.name, kind, **names, seed=seed) for seed in seeds), None


def is_given(world: World, names: Mapping[str, Any]) -> bool:
    """Whether a model is taken up, not trained."""
    return method_of(world, names) in UNTRAINED


def _timed(
    cell: Mapping[str, Any], metric: str, world: World
) -> tuple[tuple[str, ...], str | None]:
    """Run records of all that made a detector's outliers, or of one of the rules that did.

    With them, or in their place, why there are none.
    """
    names = world.model(cell)
    benchmark = world.trained_on(names["benchmark"])
    outlier_options = detector(world, names["recipe"])
    if outlier_options is None:
        raise PenumbraError(f"row {cell['label']}: recipe {names['recipe']} has no outliers")
    around = anchors(world, benchmark, outlier_options["set"])
    artifacts = {"representations": [around] if around else []}
    for kind in ("embeddings", "outliers"):
        made = around is not None or kind == "outliers"
        of_set = benchmark, outlier_options["set"]
        artifacts[kind] = shard_files(world, kind, *of_set) if made else []
    rules = (TIMED[metric],) if metric in TIMED else tuple(artifacts)
    records = tuple(str(run_record(file)) for rule in rules for file in artifacts[rule])
    return records, None if records else UNSAMPLED
