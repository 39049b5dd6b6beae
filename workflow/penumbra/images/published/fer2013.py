"""FER-2013 (Goodfellow et al. 2013) as published: a CSV with 48×48 greys, one face a row."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.images.listed import Listed

SIDE = 48
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
TRAINING = "Training"  # also what a file without a column `Usage` holds: the challenge's train.csv
USAGES = (TRAINING, "PublicTest", "PrivateTest")


class Columns(NamedTuple):
    """Where a row has what; `usage` is -1 where the file has none."""

    emotion: int
    pixels: int
    usage: int


def listed(
    place: Path, split: str, *, usage: Literal["Training", "PublicTest", "PrivateTest"]
) -> Listed:
    """The faces of one usage, in the order of the file `place`.

    Raises:
        PenumbraError: the file has other columns; a row has another number of pixels, values that
            are no greys from 0 to 255, or a class or usage that there is not; with its line.
    """
    rows = [
        (f"{place.name}, line {number}", face, label)
        for number, face, label in _faces(place, usage)
    ]
    if not rows:
        raise PenumbraError(f"{place}: no row is of the usage {usage}; take the whole file")
    return Listed(rows, CLASSES)


def _faces(file: Path, usage: str) -> Iterator[tuple[int, np.ndarray, int]]:
    """Line, pixels (48, 48) and label of every row of a usage."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        try:
            columns = _columns(next(rows, []), file, usage)
            for row in filter(None, rows):
                where = f"{file}, line {rows.line_num}"
                if len(row) <= max(columns):
                    raise PenumbraError(f"{where}: it has {len(row)} fields; take the file again")
                if _usage(row, columns, where) == usage:
                    emotion = row[columns.emotion].strip()
                    face = _pixels(row[columns.pixels], where)
                    yield rows.line_num, face, _label(emotion, where)
        except (csv.Error, UnicodeDecodeError) as error:
            raise PenumbraError(
                f"{file}, line {rows.line_num + 1}: {error}; take the published file again"
            ) from None


def _columns(head: list[str], file: Path, usage: str) -> Columns:
    names = [name.strip().lower() for name in head]
    for needed in ("emotion", "pixels"):
        if needed not in names:
            raise PenumbraError(
                f"{file}, line 1: no column `{needed}` in {', '.join(head)[:200]!r}; faces with "
                "their emotions are in fer2013.csv, icml_face_data.csv, or train.csv"
            )
    if "usage" not in names and usage != TRAINING:
        raise PenumbraError(
            f"{file}, line 1: without a column `Usage` all rows are of {TRAINING}, and {usage} is "
            "asked for; put fer2013.csv or icml_face_data.csv there"
        )
    at = names.index("usage") if "usage" in names else -1
    return Columns(names.index("emotion"), names.index("pixels"), at)


def _usage(row: list[str], columns: Columns, where: str) -> str:
    said = row[columns.usage].strip() if columns.usage >= 0 else TRAINING
    if said not in USAGES:
        raise PenumbraError(f"{where}: usage {said[:40]!r} is none of {', '.join(USAGES)}")
    return said


def _label(emotion: str, where: str) -> int:
    if not emotion.isdecimal() or int(emotion) >= len(CLASSES):
        raise PenumbraError(
            f"{where}: emotion {emotion[:40]!r} is none of 0 to {len(CLASSES) - 1}; correct it"
        )
    return int(emotion)


def _pixels(text: str, where: str) -> np.ndarray:
    """Greys (48, 48) as uint8."""
    try:
        greys = np.fromstring(text, dtype=np.int64, sep=" ")
    except ValueError:
        raise PenumbraError(f"{where}: its pixels are no whole numbers; correct the row") from None
    if len(greys) != SIDE * SIDE:
        raise PenumbraError(
            f"{where}: it has {len(greys)} pixels, and a face has {SIDE}×{SIDE} = {SIDE * SIDE}; "
            "take the row out, or the published file again"
        )
    if greys.min() < 0 or greys.max() > 255:
        raise PenumbraError(f"{where}: its greys are not within 0 and 255; correct the row")
    return greys.astype(np.uint8).reshape(SIDE, SIDE)
