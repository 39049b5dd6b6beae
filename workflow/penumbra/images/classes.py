"""Classes chosen by number, name or WordNet id, one by one or by a list in a file."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.images.entries import Entries


def class_list(folder: Path, name: str | None) -> list[str] | None:
    """The names in `folder`/`name`.txt, one a line, comments (#) left out; None for no name.

    Raises:
        PenumbraError: there is no such list, or it is not UTF-8 or names nothing.
    """
    if name is None:
        return None
    file = folder / f"{name}.txt"
    if not file.is_file():
        raise unknown("class list", name, (p.stem for p in folder.glob("*.txt")), str(folder))
    lines = (line.partition("#")[0].strip() for line in lines_of(file))
    names = [line for line in lines if line]
    if not names:
        raise PenumbraError(f"{file}: names no class; write one a line")
    return names


def lines_of(file: Path) -> list[str]:
    """The lines of a text file that say something, without blanks around them.

    Raises:
        PenumbraError: it is not UTF-8.
    """
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PenumbraError(f"{file}: not UTF-8 ({error}); save it as UTF-8") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def word_list(folder: Path, name: str | None) -> dict[str, str]:
    """What classes are called in words, by their names: the lines `name words` of `folder`/`name`.

    Lines that begin with # are comments; no name gives no words.

    Raises:
        PenumbraError: there is no such file, or it is not UTF-8, a line has no words, or two name
            one class or read alike but for their case, which CLIP does not see.
    """
    if name is None:
        return {}
    file = folder / f"{name}.txt"
    if not file.is_file():
        raise unknown("word list", name, (p.stem for p in folder.glob("*.txt")), str(folder))
    words: dict[str, str] = {}
    named: dict[str, str] = {}
    for line in lines_of(file):
        if line.startswith("#"):
            continue
        cls, _, text = line.partition(" ")
        if not text:
            raise PenumbraError(f"{file}: {cls!r} has no words; write them behind it")
        if cls in words:
            raise PenumbraError(f"{file}: {cls!r} has two lines; leave one out")
        earlier = named.setdefault(text.strip().lower(), cls)
        if earlier != cls:
            raise PenumbraError(
                f"{file}: {cls} and {earlier} are both called {text.strip()!r}; tell them apart"
            )
        words[cls] = text.strip()
    return words


def in_words(classes: Iterable[str], words: Mapping[str, str]) -> list[str]:
    """What classes are called: their words, or where there are none their names."""
    return [words.get(name, name) for name in classes]


def resolved(dataset: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A catalogue entry with the lists that it names.

    `class_list` is that of `classes_file`, `class_names` that of `names_file`.
    """
    keys = {"class_list": "classes_file", "class_names": "names_file"}
    lists = {key: class_list(folder, dataset.get(file)) for key, file in keys.items()}
    return {**dataset, **{key: names for key, names in lists.items() if names is not None}}


def choose(entries: Entries, wanted: Sequence[int | str], where: str) -> Entries:
    """The images of the `wanted` classes, relabelled in that order; numbers count from 0.

    `where` tells errors who asks.

    Raises:
        PenumbraError: a class is unknown, listed twice, or has no image.
    """
    chosen = [_index(entries.classes, name, where) for name in wanted]
    label = {old: new for new, old in enumerate(chosen)}
    for name, old in zip(wanted, chosen, strict=True):
        if chosen.count(old) > 1:
            raise PenumbraError(f"{where}: class {name!r} is listed twice; name it once")
    rows = [row._replace(label=label[row.label]) for row in entries.rows if row.label in label]
    absent = set(range(len(chosen))) - {row.label for row in rows}
    if absent:
        raise PenumbraError(
            f"{where}: no image of class {wanted[min(absent)]!r}; complete the data set, or leave "
            "the class out"
        )
    return Entries(rows, [entries.classes[old] for old in chosen])


def _index(classes: list[str], name: int | str, where: str) -> int:
    if isinstance(name, int) and name in range(len(classes)):
        return name
    if name in classes:
        return classes.index(str(name))
    near = difflib.get_close_matches(str(name), classes, n=1, cutoff=0.0)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise PenumbraError(
        f"{where}: unknown class {name!r}; {hint}The data set has {len(classes)} classes"
        + (f", {classes[0]!r} to {classes[-1]!r}" if classes else "")
    )
