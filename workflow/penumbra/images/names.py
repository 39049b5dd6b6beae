"""Names that data sets bring along: which files are images, which are no one's, which classes."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from penumbra.errors import PenumbraError

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"),
    *(".tif", ".tiff", ".gif", ".avif", ".jp2"),
}
# What lies beside images and is none: lists, annotations, archives. Any other suffix is suspicious.
COMPANIONS = {
    *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".pdf"),
    *(".mat", ".pkl", ".log", ".py", ".sh", ".zip", ".tar", ".gz", ".tgz", ".md5", ".geojson"),
}
# What a column of labels may be called.
LABELS = (
    *("label", "labels", "fine_label", "fine_labels", "class", "class_id", "class_label", "cls"),
    *("label_id", "target", "targets", "category", "category_id", "y"),
)
LEFT_OUT = {"__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", "@eaDir"}
SHOWN = 10


def suffix(name: str) -> str:
    """The end of a file's name from its last dot, in small letters; empty without one."""
    stem, dot, end = name.rpartition(".")
    return f".{end}".lower() if dot and stem else ""


def is_left_out(name: str) -> bool:
    """Whether a file or folder is no part of the data set: hidden, or a desktop's own."""
    return name.startswith(".") or name in LEFT_OUT


def readable(name: str | bytes) -> str:
    """A name that can be printed: bytes that are not UTF-8 as `\\xe9`."""
    text = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return text.decode("utf-8", "backslashreplace")


def quoted(names: Iterable[str]) -> str:
    """At most ten names in quotes, and how many there are in all if there are more."""
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(repr(readable(name)) for name in names[:SHOWN]) + more


def check_text(names: Sequence[str], where: object) -> None:
    """Refuse names of files and folders that are no UTF-8, which no artifact could hold.

    Raises:
        PenumbraError: naming the first one, readably.
    """
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        first = next(name for name in names if any("\ud800" <= c <= "\udfff" for c in name))
        raise PenumbraError(
            f"{where}: the name '{readable(first)}' is not UTF-8; rename the file or folder, then "
            "call snakemake again"
        ) from None


def check_classes(classes: Sequence[str], where: object) -> None:
    """Refuse class names that cannot tell classes apart.

    Raises:
        PenumbraError: a name is empty, holds a control character as a line's end, or comes twice,
            or two names look alike: they differ in blanks, or in how an accent is written.
    """
    mend = "give every class a name of its own"
    for number, name in enumerate(classes):
        if not isinstance(name, str) or not name.strip():
            raise PenumbraError(f"{where}: the name of class {number} is empty, {name!r}; {mend}")
        if any(unicodedata.category(c) == "Cc" for c in name):
            raise PenumbraError(
                f"{where}: the name of class {number}, {name!r}, holds a control character, as the "
                "line end of another system is; take it out of the name"
            )
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise PenumbraError(f"{where}: several classes have the name {quoted(twice)}; {mend}")
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(_as_seen(name), name)
        if other != name:
            raise PenumbraError(
                f"{where}: the classes {other!a} and {name!a} look alike; if they are "
                "one class, write its name in one way, else give the classes other names"
            )


def _as_seen(name: str) -> str:
    """A name without what no reader sees: blanks, marks of format, how accents are composed."""
    shown = (c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join("".join(shown).split())


def difference(order: Sequence[str], classes: Sequence[str]) -> str:
    """How an order of classes is not one of `classes`, in words; empty where it is one."""
    apart = sorted({*order} ^ {*classes})
    twice = sorted(name for name, count in Counter(order).items() if count > 1)
    told = [("not in both", apart), ("more than once", twice)]
    return "; ".join(f"{what}: {quoted(names)}" for what, names in told if names)


def in_order(names: Iterable[str]) -> list[str]:
    """Class names sorted: by number where all are numbers, else as text."""
    names = set(names)
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
