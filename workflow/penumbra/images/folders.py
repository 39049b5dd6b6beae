"""What lies below a folder: its images, what else there is, and what keeps them from being read."""

import os
import stat
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.names import COMPANIONS, SUFFIXES, is_left_out, readable, suffix

DEEPEST = 100  # folders in each other; more is a mistake
KINDS = {stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}


class Folder:
    """The images below a folder, sorted folder by folder; one look at each folder, none is opened.

    `names` are paths relative to it, `sizes` their bytes where `measure` asks for them (-1 for a
    link to nothing; who reads the image names it). `others` counts files of other suffixes.
    `troubles` says what is wrong: a folder that can't be entered, a link that leads back to a
    folder that it lies in, a pipe. `empty` are the folders directly below without an image. Hidden
    files and folders are left out.

    Where folders named as some of `classes` lie side by side with others, the others are left out
    without a look: their names are in `passed`.
    """

    def __init__(self, path: Path, classes: Collection[str] | None = None, measure: bool = False):
        self.path, self.kept, self.measure = path, frozenset(classes or ()), measure
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.others: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.passed: set[str] = set()
        self.empty: list[str] = []
        self._look("", ())

    def _look(self, inside: str, linked: tuple[str, ...]) -> None:
        """Take up the folder `inside/`; `linked` are the folders whose links lead there."""
        try:
            with os.scandir(self.path / inside) as scan:
                entries = sorted(
                    (entry for entry in scan if not is_left_out(entry.name)),
                    key=lambda entry: entry.name,
                )
        except NotADirectoryError:
            self._trouble(inside, "is a file; a folder of images is expected there")
            return
        except OSError as error:
            self._trouble(inside, f"cannot be read ({error.strerror})")
            return
        folders = {entry.name for entry in entries if self._is_folder(entry, inside)}
        left_out = folders - self.kept if folders & self.kept else set()
        self.passed |= left_out
        for entry in entries:
            if entry.name not in folders:
                self._file(entry, inside)
            elif entry.name not in left_out:
                self._enter(entry, inside, linked)

    def _is_folder(self, entry: os.DirEntry[str], inside: str) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:  # not of links to nothing
            self._trouble(inside + entry.name, f"cannot be followed ({error.strerror})")
            return False

    def _file(self, entry: os.DirEntry[str], inside: str) -> None:
        end = suffix(entry.name)
        if end not in SUFFIXES:
            self.others[end] += 1
            return
        name = inside + entry.name
        try:
            if not entry.is_file():
                kind = stat.S_IFMT(entry.stat().st_mode)
                self._trouble(name, f"is {KINDS.get(kind, 'a device')} and no file")
                return
            size = entry.stat().st_size if self.measure else 0
        except OSError:
            size = -1
        self.names.append(name)
        self.sizes.append(size)

    def _enter(self, entry: os.DirEntry[str], inside: str, linked: tuple[str, ...]) -> None:
        name = inside + entry.name
        if inside.count("/") >= DEEPEST:
            self._trouble(name, f"lies more than {DEEPEST} folders deep")
            return
        if entry.is_symlink():
            target = os.path.realpath(self.path / name)
            linked = (*linked, os.path.realpath(self.path / inside))
            if any(os.path.commonpath((target, holder)) == target for holder in linked):
                self._trouble(name, f"is a link that leads back to {target}, which it lies in")
                return
        before = len(self.names)
        self._look(name + "/", linked)
        if not inside and len(self.names) == before:
            self.empty.append(entry.name)

    def _trouble(self, name: str, what: str) -> None:
        self.troubles.append(f"{readable(str(self.path / name))} {what}")

    def check(self) -> None:
        """Refuse a folder of which something can't be read, or whose files are mostly no images.

        Raises:
            PenumbraError: naming what is wrong.
        """
        if self.troubles:
            first, *more = self.troubles
            such = f" (and {len(more)} more such)" if more else ""
            raise PenumbraError(
                f"{first}{such}; remove it, or put there what belongs there, then call snakemake "
                "again"
            )
        others = self.strange if self.names else self.others
        if others.total() > len(self.names):
            raise PenumbraError(
                f"{readable(str(self.path))}: {len(self.names)} images and {_in_words(others)}; "
                f"read are {' '.join(sorted(SUFFIXES))}. Unpack the others or save them as one of "
                "these, or move them elsewhere"
            )

    @property
    def strange(self) -> Counter[str]:
        """How many files there are by suffix, without images and what often lies beside them."""
        return Counter({k: n for k, n in self.others.items() if k not in COMPANIONS})

    def left_out(self) -> str:
        """The files of other suffixes in words; empty where there are none."""
        return _in_words(self.strange) if self.strange else ""


def _in_words(others: Counter[str]) -> str:
    kinds = (f"{count} {end or 'without suffix'}" for end, count in others.most_common(5))
    return f"{others.total()} files that are not read ({', '.join(kinds)})"
