"""Scores of images by a detector: how much each is like those that its network was trained on.

One row an image, as they come: image, score (larger is more ID), p_id, accept, error. An image that
cannot be read has an error and no numbers, and ends nothing.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from penumbra.commands.shared import output
from penumbra.errors import PenumbraError
from penumbra.machine import cores

if TYPE_CHECKING:
    from penumbra.detector.stream import Rows

HELP = "scores of your own images by a detector, as CSV or Parquet"
COLUMNS = ("image", "score", "p_id", "accept", "error")
THREADS, BATCH = 1024, 2**16  # at most: what a process and its memory hold
ACCEPT = ("reject", "accept")
Write = Callable[["Rows"], None]


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path, help="a detector, of `penumbra detector export`")
    parser.add_argument(
        "images",
        nargs="+",
        help="image files, folders, Parquet files of images, or @FILE, which lists such",
    )
    parser.add_argument(
        "--out", type=Path, metavar="X.csv|X.parquet", help="else CSV on standard output"
    )
    parser.add_argument(
        "--tpr", type=float, help="accept another share of held-out ID images than the file's"
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="images scored at once")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads that decode, and that the network computes with (all cores)",
    )
    parser.add_argument(
        "--code", type=Path, metavar="FOLDER", help="of a python: network's file of yours"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or auto (auto)")


def run(arguments: argparse.Namespace) -> int:
    """Score, write, count."""
    from penumbra.detector.detector import Detector
    from penumbra.detector.sources import check, files, sources
    from penumbra.detector.stream import judged
    from penumbra.training.determinism import determinism

    check(arguments.images)
    if arguments.out is not None:
        read = (arguments.file, *files(arguments.images))
        output.check(arguments.out, (".csv", ".parquet"), read)
    threads = cores() if arguments.threads is None else arguments.threads
    _check_numbers(threads, arguments.batch_size)
    determinism(threads)
    detector = Detector.load(arguments.file, arguments.device, arguments.batch_size, arguments.code)
    if arguments.tpr is not None:
        detector = detector.at(arguments.tpr)
    counts = {"images": 0, "accepted": 0, "broken": 0}
    with writer(arguments.out) as write:
        for rows in judged(detector, sources(arguments.images), threads):
            write(rows)
            counts["images"] += len(rows.names)
            counts["accepted"] += int(rows.accept.sum())
            counts["broken"] += sum(map(bool, rows.errors))
    rejected = counts["images"] - counts["accepted"] - counts["broken"]
    print(
        f"{counts['images']} images: {counts['accepted']} accepted, {rejected} rejected, "
        f"{counts['broken']} broken",
        file=sys.stderr,
    )
    return 0


def _check_numbers(threads: int, batch_size: int | None) -> None:
    """Refuse numbers that end a process without a word; a detector refuses batches below 1."""
    if threads < 1:
        raise PenumbraError(f"--threads {threads}: at least one is needed")
    if threads > max(THREADS, 4 * cores()):
        raise PenumbraError(
            f"--threads {threads}: at most {max(THREADS, 4 * cores()):,} are started; more than "
            f"the {cores()} cores here gain nothing"
        )
    if batch_size is not None and batch_size > BATCH:
        raise PenumbraError(
            f"--batch-size {batch_size}: at most {BATCH:,} images are held at once; some hundred "
            "keep a GPU busy"
        )


@contextmanager
def writer(out: Path | None) -> Iterator[Write]:
    """What writes rows to a file, by its suffix, or as CSV to standard output.

    A Parquet file is whole or not there; a CSV file grows.
    """
    if out is None:
        yield _csv(sys.stdout)
        return
    if out.suffix == ".csv":
        with out.open("w", encoding="utf-8", newline="") as stream:
            yield _csv(stream)
    else:
        with _parquet(out) as write:
            yield write


def _columns(rows: "Rows") -> dict[str, list]:
    """The columns; images with an error have None for all numbers."""
    places = iter(range(len(rows.score)))
    at = [None if error else next(places) for error in rows.errors]
    score, p_id = rows.score.tolist(), rows.p_id.tolist()
    accept = [ACCEPT[accepted] for accepted in rows.accept.tolist()]
    return {
        "image": rows.names,
        "score": [None if i is None else score[i] for i in at],
        # NaN, that of a detector without calibration, is no number to write.
        "p_id": [None if i is None or p_id[i] != p_id[i] else p_id[i] for i in at],
        "accept": [None if i is None else accept[i] for i in at],
        "error": [error or None for error in rows.errors],
    }


def _csv(stream: TextIO) -> Write:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)

    def write(rows: "Rows") -> None:
        table.writerows(zip(*_columns(rows).values(), strict=True))
        stream.flush()

    return write


@contextmanager
def _parquet(out: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from penumbra.store.files import atomic

    kinds = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(("score", "p_id"), pa.float64())
    schema = pa.schema(kinds.items())
    with atomic(out) as temporary, pq.ParquetWriter(temporary, schema) as file:

        def write(rows: "Rows") -> None:
            file.write_table(pa.table(_columns(rows), schema))

        yield write
