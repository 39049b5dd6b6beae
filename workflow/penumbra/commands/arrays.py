"""Scores and metrics of logits and features in files, by every scorer that these suffice for."""

import argparse
import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penumbra.commands.shared import output
from penumbra.errors import PenumbraError

if TYPE_CHECKING:
    import pandas as pd

    from penumbra.public.arrays import ArrayScores

HELP = "scores and metrics of logits and features in files, without a network"
SHOWN = ("auroc", "fpr95", "aupr_id", "aupr_ood")
ROLES = ("train", "heldout", "test")
CONFIDENCE = 0.95


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.epilog = (
        "FILE is .npz, .parquet or .safetensors and holds logits (N, C), features (N, D), or both; "
        "to fit on also labels (N,), integers from 0. Row i of each is about image i."
    )
    parser.add_argument("--test", type=Path, required=True, metavar="FILE", help="ID test images")
    parser.add_argument(
        "--ood",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME=FILE",
        help="sets of OOD images",
    )
    parser.add_argument(
        "--train", type=Path, metavar="FILE", help="ID training images, to fit scorers on"
    )
    parser.add_argument(
        "--heldout", type=Path, metavar="FILE", help="ID images not trained on, to fit on"
    )
    parser.add_argument(
        "--head", type=Path, metavar="FILE", help="weight (C, D), bias (C,) of the last layer"
    )
    parser.add_argument(
        "--scorers",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="only these; all by default",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.csv", help="every metric of every image set"
    )
    parser.add_argument(
        "--scores", type=Path, metavar="FILE.parquet", help="the score of every image"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a table of means over the OOD sets; write what is asked for."""
    from penumbra.public.arrays import score_arrays  # slow to import
    from penumbra.public.files import read_head, read_images

    files = _named(arguments.ood)
    roles = {f"--{role}": getattr(arguments, role) for role in ROLES}
    roles |= {f"--ood {name}": file for name, file in files.items()}
    for file, suffix in ((arguments.out, ".csv"), (arguments.scores, ".parquet")):
        if file is not None:
            output.check(file, (suffix,), filter(None, (*roles.values(), arguments.head)))
    _check_apart(roles)
    given: dict[str, Any] = {
        role: None if getattr(arguments, role) is None else read_images(getattr(arguments, role))
        for role in ROLES
    }
    ood = {name: read_images(file) for name, file in files.items()}
    head = None if arguments.head is None else read_head(arguments.head)
    scored = score_arrays(
        given["train"], given["test"], ood, arguments.scorers, head, heldout=given["heldout"]
    )
    if not scored.scores:
        reasons = "\n".join(f"  {line}" for line in _told(scored.left_out))
        raise PenumbraError(f"these arrays suffice for no scorer\n{reasons}")
    metrics = _metrics(scored)
    sizes = {role: _size(arrays) for role, arrays in given.items() if arrays is not None}
    print(_markdown(scored, metrics, sizes), end="")
    if arguments.out:
        _write_csv(arguments.out, metrics)
    if arguments.scores:
        _write_scores(arguments.scores, scored)
    return 0


def _named(pairs: list[str]) -> dict[str, Path]:
    """Files by the names of the sets."""
    files: dict[str, Path] = {}
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file) or name in files:
            raise PenumbraError(f"--ood {pair}: give NAME=FILE, each name once")
        files[name] = Path(file)
    return files


def _check_apart(files: dict[str, Path | None]) -> None:
    """Refuse one file in two roles, by whatever path: what a scorer is fitted on tests nothing."""
    there = [(role, file) for role, file in files.items() if file is not None and file.is_file()]
    for (first, one), (second, other) in combinations(there, 2):
        if os.path.samefile(one, other):
            raise PenumbraError(
                f"{first} and {second} are one file, {one}; give each images of its own"
            )


def _size(arrays: dict[str, Any]) -> int:
    return len(next(iter(arrays.values())))


def _metrics(scored: "ArrayScores") -> dict[str, "pd.DataFrame"]:
    """By scorer, the one with the largest mean AUROC first."""
    from penumbra.public.arrays import TEST
    from penumbra.public.evaluation import evaluate

    frames = {}
    for name, scores in scored.scores.items():
        ood = {image_set: values for image_set, values in scores.items() if image_set != TEST}
        try:
            frames[name] = evaluate(scores[TEST], ood, confidence=CONFIDENCE, name=TEST)
        except PenumbraError as error:
            raise PenumbraError(f"scorer {name}: {error}") from error
    ranked = sorted(frames, key=lambda name: -frames[name]["auroc"].iloc[-1])
    return {name: frames[name] for name in ranked}


def _told(left_out: dict[str, str]) -> list[str]:
    """Reasons with the scorers that each is of."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _markdown(
    scored: "ArrayScores", metrics: dict[str, "pd.DataFrame"], sizes: dict[str, int]
) -> str:
    from penumbra.evaluation.metrics import METRICS
    from penumbra.public.arrays import TEST
    from penumbra.reporting.tables.escapes import markdown
    from penumbra.reporting.tables.render import markdown_table

    first = next(iter(scored.scores.values()))
    ood = [f"{name} {len(values)}" for name, values in first.items() if name != TEST]
    over = f"mean over {len(ood)} OOD image sets" if len(ood) > 1 else "one OOD image set"
    listed = ", ".join(f"{role} {count}" for role, count in sizes.items())
    notes = [
        f"ID: {listed} images; OOD: {', '.join(ood)}.",
        "Scores: larger is more ID; FPR95 with ID positive at the recall nearest to 95 %.",
        f"In brackets: the interval at {100 * CONFIDENCE:g} %, over test images.",
        *_equal(scored),
        *(f"Left out: {line}." for line in _told(scored.left_out)),
    ]
    heads = [METRICS[metric].title for metric in SHOWN]
    rows = [
        [markdown(name), *(_cell(table.iloc[-1], metric) for metric in SHOWN)]
        for name, table in metrics.items()
    ]
    return markdown_table(f"Scorers of arrays, {over}, in percent", notes, [], heads, rows)


def _equal(scored: "ArrayScores") -> Iterable[str]:
    """Scorers that tell no image of a set apart, which no metric shows."""
    for name, scores in scored.scores.items():
        alike = [k for k, values in scores.items() if len(values) > 1 and len({*values}) == 1]
        if alike:
            yield f"{name} scores all images of {', '.join(alike)} alike."


def _cell(row: Any, metric: str) -> str:
    from penumbra.reporting.tables.render import number

    value, low, high = (number(row[f"{metric}{end}"], metric) for end in ("", "_low", "_high"))
    return f"{value} [{low}, {high}]"


def _write_csv(file: Path, metrics: dict[str, "pd.DataFrame"]) -> None:
    import pandas as pd

    from penumbra.store.files import write_text

    whole = pd.concat(metrics, names=["scorer"]).reset_index()
    write_text(file, whole.to_csv(index=False))


def _write_scores(file: Path, scored: "ArrayScores") -> None:
    """One row an image and scorer: scorer, image_set, index, score."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from penumbra.store.files import atomic

    tables = []
    for scorer, sets in scored.scores.items():
        for name, scores in sets.items():
            count = len(scores)
            columns = {"scorer": [scorer] * count, "image_set": [name] * count}
            tables.append(pa.table({**columns, "index": np.arange(count), "score": scores}))
    with atomic(file) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)
