"""Lists of images as CSV: which column holds the paths, which the labels, and which neither."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images.names import LABELS, SUFFIXES, suffix

PATHS = ("path", "image", "file", "filename", "file_name", "image_path", "file_path", "filepath")
OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # that stand where commas are expected


class Line(NamedTuple):
    """One image of a list: the number of its line, its path as it stands there, its label."""

    number: int
    path: str
    label: str  # empty for none


def of_csv(text: str, file: Path) -> Iterator[Line]:
    """The images of a list in order.

    Raises:
        PenumbraError: columns are not separated by commas, it is not plain which is which, or a
            line is of another shape.
    """
    _check_separator(text, file)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        head = next(filter(None, rows), None)
        if head is None:
            return
        columns = _columns(head, file)
        if columns is None:
            columns = (0, 1 if len(head) > 1 else None)
            yield _line(head, columns, rows.line_num)
        for row in filter(None, rows):
            if len(row) != len(head):
                raise PenumbraError(
                    f"{file}, line {rows.line_num}: it has {len(row)} fields where the first line "
                    f"has {len(head)}; quote a path or name with a comma in it"
                )
            yield _line(row, columns, rows.line_num)
    except csv.Error as error:
        raise PenumbraError(f"{file}, line {rows.line_num}: {error}; correct the line") from None


def _check_separator(text: str, file: Path) -> None:
    """Refuse a list whose first line says something by another separator than commas alone."""
    first = next(filter(str.strip, text.splitlines()), "")
    if _names_images(first.split(",")):
        return
    for separator, called in OTHERS.items():
        if separator in first and _names_images(first.split(separator)):
            raise PenumbraError(
                f"{file}, line 1: {first[:200]!r}: its columns are separated by {called}; write "
                "the list with commas between them"
            )


def _names_images(fields: list[str]) -> bool:
    """Whether there is the name of a column of paths, or an image's own."""
    plain = [field.strip().strip("\"'").lower() for field in fields]
    return any(field in PATHS or suffix(field) in SUFFIXES for field in plain)


def unread(text: str, file: Path) -> list[str]:
    """The names of columns that hold neither paths nor labels; none where there is no head.

    Raises:
        PenumbraError: it is not plain which column is which.
    """
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    head = next(filter(None, rows), [])
    columns = _columns(head, file) if head else None
    return [] if columns is None else [n for i, n in enumerate(head) if i not in columns]


def _line(row: list[str], columns: tuple[int, int | None], number: int) -> Line:
    path, label = columns
    return Line(number, row[path].strip(), "" if label is None else row[label].strip())


def _columns(head: list[str], file: Path) -> tuple[int, int | None] | None:
    """The columns of paths and labels; None where the first line is an image's own."""
    names = [name.strip().lower() for name in head]
    paths, labels = _named(names, PATHS), _named(names, LABELS)
    if not paths and len(head) in (1, 2) and suffix(head[0].strip()) in SUFFIXES:
        return None
    if len(paths) == 1 and len(labels) < 2:
        return paths[0], labels[0] if labels else None
    raise PenumbraError(
        f"{file}, line 1: {', '.join(head)[:200]!r}: name one column `path` and one, where there "
        "are labels, `label`"
    )


def _named(names: list[str], plain: tuple[str, ...]) -> list[int]:
    """The columns of a plain name; of its first one alone where there is one."""
    columns = [place for place, name in enumerate(names) if name in plain]
    return [place for place in columns if names[place] == plain[0]] or columns
