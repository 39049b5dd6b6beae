"""A list of images in a file: one a line, its path and mostly its class.

`.txt`   `path[ label]`, as OpenOOD's lists; the path ends where the last suffix of an image does
`.csv`   columns `path` and `label`, under these or other plain names, or without a head

Paths are below the list's folder, or absolute. A label is the number or the name of a class.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL
from penumbra.images.names import LABELS, SUFFIXES, check_classes, in_order, readable, suffix
from penumbra.store.files import atomic

KINDS = {".txt", ".csv"}
PATHS = ("path", "image", "file", "filename", "file_name", "image_path", "file_path", "filepath")
ENDS = "|".join(re.escape(end) for end in sorted(SUFFIXES, key=len, reverse=True))
LINE = re.compile(rf"(.+(?:{ENDS}))(?:\s+(\S.*))?", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?\d+")
FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")


class Line(NamedTuple):
    """One image of a list: the number of its line, its path as it stands there, its label."""

    number: int
    path: str
    label: str  # empty for none


def lines_of(file: Path) -> list[Line]:
    """The images of a list, in order.

    Raises:
        PenumbraError: the list is not UTF-8, names no image, or a line of it is of another shape
            than the others, has a label that is no class, or names an image again.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PenumbraError(f"{file}: not UTF-8 ({error}); save the list as UTF-8") from None
    except OSError as error:
        raise PenumbraError(f"{file} cannot be read ({error.strerror}); replace it") from None
    if "\0" in text:
        raise PenumbraError(f"{file}: it holds NUL characters, so it is no list; replace it")
    lines = list(_of_csv(text, file) if suffix(file.name) == ".csv" else _of_text(text, file))
    if not lines:
        raise PenumbraError(f"{file}: names no image; write one a line, `path label`")
    check(lines, file)
    return lines


def _of_text(text: str, file: Path) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        match = LINE.fullmatch(line.strip())
        if match:
            yield Line(number, match[1], match[2] or "")
        elif line.strip():
            raise PenumbraError(
                f"{file}, line {number}: {line.strip()[:100]!r} names no image; a line is "
                f"`path label` or `path`, and a path ends in one of {' '.join(sorted(SUFFIXES))}"
            )


def _of_csv(text: str, file: Path) -> Iterator[Line]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
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


def check(lines: list[Line], file: Path) -> None:
    """Refuse lines that do not go together, of a list that is read or is to be written.

    Raises:
        PenumbraError: naming the line, and another one that it does not go with.
    """
    labelled = bool(lines[0].label)
    for line in lines:
        where = f"{file}, line {line.number}"
        if not line.path:
            raise PenumbraError(f"{where}: it names no image; write its path, or take it out")
        if bool(line.label) != labelled:
            has, first = ("a", "none") if line.label else ("no", "one")
            raise PenumbraError(
                f"{where}: {line.path} has {has} label, and line {lines[0].number} has {first}; "
                "label all images or none"
            )
        if FRACTION.fullmatch(line.label):
            raise PenumbraError(
                f"{where}: the label {line.label!r} is no whole number; labels number the classes "
                "from 0, or name them"
            )
        if bool(NUMBER.fullmatch(line.label)) != bool(NUMBER.fullmatch(lines[0].label)):
            raise PenumbraError(
                f"{where}: the label {line.label!r} stands beside {lines[0].label!r} in line "
                f"{lines[0].number}; number all classes, or name all"
            )
    seen: dict[str, int] = {}
    for line in lines:
        earlier = seen.setdefault(line.path, line.number)
        if earlier != line.number:
            raise PenumbraError(
                f"{file}, line {line.number}: {line.path} stands in line {earlier} already; name "
                "every image once"
            )


def listed(
    file: Path, labelled: bool, stated: int | None
) -> tuple[list[tuple[str, Path, int]], list[str]]:
    """Origin, file and label of all images in order, and the names of the classes.

    Classes called by number are those that the list has, or where the data set has another number
    of them, `stated`, those from 0.

    Raises:
        PenumbraError: the list is malformed, an image is not there, or a labelled set has a label
            below 0 or none.
    """
    lines = lines_of(file)
    _check_files(lines, file)
    if labelled:
        _check_labels(lines, file)
    classes = in_order({line.label for line in lines if not _is_none(line.label)})
    check_classes(classes, file)
    place = {name: number for number, name in enumerate(classes)}
    if stated not in (None, len(classes)) and all(name.isdecimal() for name in classes):
        place = {name: int(name) for name in classes}
        classes = [str(number) for number in range(stated or 0)]
    return [
        (line.path, file.parent / line.path, place.get(line.label, NO_LABEL)) for line in lines
    ], classes


def _check_files(lines: list[Line], file: Path) -> None:
    absent = [line for line in lines if not _is_file(file.parent / line.path)]
    if absent:
        first = absent[0]
        more = f" ({len(absent)} of {len(lines)} images are not there)" if absent[1:] else ""
        raise PenumbraError(
            f"{file}, line {first.number}: there is no file {file.parent / first.path}{more}; "
            "paths are below the list's folder, or absolute. Put the image there, or take the line "
            "out"
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _check_labels(lines: list[Line], file: Path) -> None:
    for line in lines:
        if _is_none(line.label):
            has = f"the label {line.label}" if line.label else "no label"
            raise PenumbraError(
                f"{file}, line {line.number}: {line.path} has {has}, and the data set is labelled; "
                "write `path label` with classes by name or numbered from 0, or state labelled: "
                "false"
            )


def _is_none(label: str) -> bool:
    """Whether a label says that there is none, as OpenOOD's -1 does."""
    return not label or (label.startswith("-") and NUMBER.fullmatch(label) is not None)


def measured(file: Path, size: Callable[[Path], int]) -> list[list[str | int]]:
    """Path, label and size of every image, so that a change is seen; or what is wrong, in words."""
    try:
        lines = lines_of(file)
    except PenumbraError as error:
        return [[readable(str(error))]]
    return [[line.path, line.label, size(file.parent / line.path)] for line in lines]


def write(file: Path, rows: list[tuple[str, str]]) -> None:
    """Write a list of paths and class names; of paths alone where none has a class."""
    counts = Counter(bool(label) for _, label in rows)
    head, columns = (["path", "label"], 2) if counts[True] else (["path"], 1)
    with atomic(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *(row[:columns] for row in rows)])
