"""A list of images in a file: one a line, its path and mostly its class.

`.txt`   `path[ label]`, as OpenOOD's lists; the path ends where the last suffix of an image does
`.csv`   columns `path` and `label`, under these or other plain names, or without a head

Paths are below the list's folder, or absolute. A label is the number or the name of a class.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.csv_lists import Line, of_csv, unread
from penumbra.images.entries import NO_LABEL
from penumbra.images.names import SUFFIXES, check_classes, in_order, readable, suffix
from penumbra.store.files import atomic

KINDS = {".txt", ".csv"}
ENDS = "|".join(re.escape(end) for end in sorted(SUFFIXES, key=len, reverse=True))
LINE = re.compile(rf"(.+(?:{ENDS}))(?:\s+(\S.*))?", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?\d+")
SEVERAL = re.compile(r"[+-]?[\d.]+(\s+[+-]?[\d.]+)+")
FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")


def lines_of(file: Path) -> list[Line]:
    """The images of a list, in order.

    Raises:
        PenumbraError: the list is not UTF-8, names no image, or a line of it is of another shape
            than the others, has a label that is no class, or names an image again.
    """
    return _lines_in(_text(file), file)


def _lines_in(text: str, file: Path) -> list[Line]:
    lines = list(of_csv(text, file) if _is_csv(file) else _of_text(text, file))
    if not lines:
        raise PenumbraError(f"{file}: names no image; write one a line, `path label`")
    check(lines, file)
    return lines


def _is_csv(file: Path) -> bool:
    return suffix(file.name) == ".csv"


def _text(file: Path) -> str:
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise PenumbraError(f"{file}: is no file; put the list itself there")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PenumbraError(f"{file}: not UTF-8 ({error}); save the list as UTF-8") from None
    except OSError as error:
        raise PenumbraError(f"{file} cannot be read ({error.strerror}); replace it") from None
    if "\0" in text:
        raise PenumbraError(f"{file}: it holds NUL characters, so it is no list; replace it")
    return text


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
        if SEVERAL.fullmatch(line.label):
            raise PenumbraError(
                f"{where}: {line.label!r} are several numbers, and an image has one class; leave "
                "the number of its class alone"
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
    _check_numbers(lines, file)
    _check_once(lines, file)


def _check_numbers(lines: list[Line], file: Path) -> None:
    """Refuse one number in two spellings, as 1 and 01, which may be one class or two."""
    if not NUMBER.fullmatch(lines[0].label):
        return
    first: dict[str, Line] = {}
    for line in lines:
        earlier = first.setdefault(line.label.lstrip("+").lstrip("0"), line)
        if earlier.label != line.label:
            raise PenumbraError(
                f"{file}, line {line.number}: the label {line.label!r} stands beside "
                f"{earlier.label!r} in line {earlier.number}; write every number in one way, or "
                "give the classes names that are no numbers"
            )


def _check_once(lines: list[Line], file: Path) -> None:
    """Refuse an image that is named twice, however its path is spelled."""
    base = os.path.abspath(file.parent)
    first: dict[str, Line] = {}
    for line in lines:
        earlier = first.setdefault(os.path.normpath(os.path.join(base, line.path)), line)
        if earlier.number != line.number:
            spelled = "" if earlier.path == line.path else f" as {earlier.path}"
            raise PenumbraError(
                f"{file}, line {line.number}: {line.path} stands in line {earlier.number} "
                f"already{spelled}; name every image once"
            )


def listed(
    file: Path, labelled: bool, stated: int | None
) -> tuple[list[tuple[str, Path, int]], list[str], list[str]]:
    """Origin, file and label of all images in order, names of the classes, columns not read.

    Classes called by number are those that the list has, or where the data set has another number
    of them, `stated`, those from 0.

    Raises:
        PenumbraError: the list is malformed, an image is not there, or a labelled set has a label
            below 0 or none.
    """
    text = _text(file)
    lines = _lines_in(text, file)
    _check_files(lines, file)
    if labelled:
        _check_labels(lines, file)
    classes = in_order({line.label for line in lines if not _is_none(line.label)})
    check_classes(classes, file)
    place = {name: number for number, name in enumerate(classes)}
    if stated not in (None, len(classes)) and all(name.isdecimal() for name in classes):
        place = {name: int(name) for name in classes}
        classes = [str(number) for number in range(stated or 0)]
    rows = [(line.path, file.parent / line.path, place.get(line.label, NO_LABEL)) for line in lines]
    return rows, classes, unread(text, file) if _is_csv(file) else []


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
