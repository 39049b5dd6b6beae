"""Tables and figures as their YAML files say them, with what they are like."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.planning.answers import is_figure
from penumbra.planning.config import LONGEST, Files
from penumbra.planning.gathering import tell
from penumbra.planning.references import unanswered
from penumbra.planning.validation import validate

KEYS = {"table": ("title", "columns", "rows"), "figure": ("title", "inputs")}


class Reports:
    """The files of tables and figures, by name.

    `schema` and `answers` give the schema of a kind, and per kind of entry the names that there
    are; `only` what a table has that does not say it: the world's only backbone and recipe.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        schema: Callable[[str], dict[str, Any]],
        answers: Callable[[], Mapping[str, Collection[str]]],
        only: Mapping[str, str | None],
    ):
        self.files, self._schema, self._answers = files, schema, answers
        self._only = {key: name for key, name in only.items() if name is not None}
        self._document = functools.cache(self._read_document)

    def file(self, name: str) -> Path:
        """The file of a table or figure.

        Raises:
            PenumbraError: there is none of that name.
        """
        if name not in self.files:
            raise unknown("table or figure", name, self.files, "config")
        return self.files[name]

    def read(self, name: str) -> dict[str, Any]:
        """A table or figure with what it is like, all its keys there.

        Raises:
            PenumbraError: there is no such file, or all that is wrong with its keys.
        """
        laid = self.laid(name)
        tell(self.absent(laid))
        return laid

    def laid(self, name: str) -> dict[str, Any]:
        """The same, where it may lack keys.

        Raises:
            PenumbraError: there is no such file, or all that is wrong with a key that is there.
        """
        laid: dict[str, Any] = {} if is_figure(name) else {**self._only}
        for _, data in reversed(list(self.lineage(name))):
            laid |= data
        laid.pop("like", None)
        return {**laid, "name": name}

    def absent(self, laid: Mapping[str, Any]) -> Iterator[str]:
        """What is to be said of the keys that a table or figure lacks."""
        kind = _kind(laid["name"])
        keys = [key for key in KEYS[kind] if key not in laid]
        if keys:
            yield (
                f"{self.file(laid['name'])}: a {kind} has {', '.join(keys)}, too; say it, or take "
                "it over from another by `like`"
            )

    def lineage(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """A table or figure as its file says it, then that which it is like, and so on."""
        chain: list[str] = []
        current: str | None = name
        while current is not None:
            data = self._document(current)
            yield current, data
            chain.append(current)
            current = data.get("like")
            file = self.file(chain[-1])
            if current == chain[-1]:
                told = f"like: {current} is this file itself, which stands in place of any other"
                raise PenumbraError(f"{file}: {told} of this name; give it another name")
            if current in chain:
                said = " is like ".join([*chain[chain.index(current) :], current])
                raise PenumbraError(f"{file}: like: {said}; write out one of them")
            if len(chain) > LONGEST:
                told = f"a chain of more than {LONGEST}; write out this one"
                raise PenumbraError(f"{file}: like: {told}")

    def where(self, name: str, *keys: str) -> str:
        """A key of a table or figure with the file that says it."""
        said = (each for each, data in self.lineage(name) if keys[0] in data)
        return f"{self.file(next(said, name))}: {'.'.join(keys)}"

    def _read_document(self, name: str) -> dict[str, Any]:
        """What the file of a table or figure itself says."""
        files = Files([self.file(name)])
        data, schema = files.laid(), self._schema(_kind(name))
        validate(data, schema, files)
        like = {key: data[key] for key in ("like",) if key in data}
        tell(told for _, told in unanswered(like, schema, self._answers(), files.where))
        return data


def files_of(folders: Iterable[Path]) -> dict[str, Path]:
    """The files in `tables/` of these folders by name; of one name, that of the last folder."""
    every = (file for folder in folders for file in sorted((folder / "tables").glob("*.yaml")))
    return {file.stem: file for file in every}


def _kind(name: str) -> str:
    return "figure" if is_figure(name) else "table"
