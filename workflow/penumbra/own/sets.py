"""The image sets of a world of one's own: which folders and files they are, and what is in them."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images import pieces
from penumbra.images.looks import Look, check_number
from penumbra.images.names import is_left_out, quoted, readable

# What folders and files of splits are called. A split for validation holds the held-out images;
# where there is none for testing it is tested on.
TRAIN, TEST, HELDOUT, OOD, CALIBRATION = "train", "test", "heldout", "ood", "calibration"
CALLED = {
    TRAIN: ("train", "training"),
    TEST: ("test", "testing"),
    HELDOUT: ("val", "valid", "validation", "heldout"),
}
# Of each class, where one folder holds all ID images, and where only the held-out ones lack.
SHARES = {TRAIN: (0.0, 0.7), HELDOUT: (0.7, 0.8), TEST: (0.8, 1.0)}
OF_TRAINING = {TRAIN: (0.0, 0.9), HELDOUT: (0.9, 1.0)}


class Place(NamedTuple):
    """Where a set lies, and what it is for; `name` is what tables call it."""

    role: str
    name: str
    paths: list[Path]


class OwnSet(NamedTuple):
    """A set that was looked at."""

    place: Place
    look: Look

    @property
    def name(self) -> str:
        """What errors and tables call it."""
        return self.place.name


class Shares(NamedTuple):
    """A split that is a share of each class of a set that lies elsewhere, or all of it."""

    of: str  # the role of the set
    share: tuple[float, float] | None


def id_places(given: Path, test: Path | None) -> list[Place]:
    """The sets that the ID images lie in: one for all, or one a split.

    Raises:
        PenumbraError: there are two test sets, or pieces of a split are missing.
    """
    splits = {role: split for role in CALLED if (split := _split(given, CALLED[role]))}
    if TRAIN not in splits:
        splits = {TRAIN: files_of(given)}
    if test is not None:
        if TEST in splits:
            raise PenumbraError(
                f"{readable(str(given))} holds {splits[TEST][0].name} already; leave out "
                f"--id-test, or give {splits[TRAIN][0]} as --id"
            )
        splits[TEST] = files_of(test)
    elif TEST not in splits and HELDOUT in splits:
        splits[TEST] = splits.pop(HELDOUT)
    are_split = len(splits) > 1
    return [
        Place(role, f"ID {role}" if are_split else "ID", paths) for role, paths in splits.items()
    ]


def files_of(given: Path) -> list[Path]:
    """What is given itself; or the Parquet files, where it is a folder that holds nothing else.

    Raises:
        PenumbraError: the files are numbered, and some are missing.
    """
    there = sorted(given.iterdir()) if given.is_dir() else []
    files = [path for path in there if not is_left_out(path.name)]
    if not files or any(path.suffix != ".parquet" or path.is_dir() for path in files):
        return [given]
    named = {pieces.NUMBERED.split(path.stem)[0] for path in files}
    if len(named) == 1:
        pieces.check(files, named.pop())
    return files


def _split(given: Path, names: tuple[str, ...]) -> list[Path]:
    """The folder or Parquet files of a split in a folder; empty where it has none."""
    if not given.is_dir():
        return []
    there = {path.name.lower(): path for path in sorted(given.iterdir())}
    parquet = [path for path in there.values() if path.suffix == ".parquet"]
    numbered = (path.stem for path in parquet if pieces.NUMBERED.search(path.stem))
    splits = {pieces.NUMBERED.split(stem)[0] for stem in numbered}
    for name in names:
        if name in there and there[name].is_dir() and not _is_class(there[name]):
            return [there[name]]
        if f"{name}.parquet" in there:
            return [there[f"{name}.parquet"]]
        begun = [path for path in parquet if path.name.lower().startswith(f"{name}-")]
        files = list(pieces.of_split(begun, name, splits))
        if files:
            pieces.check(files, name)
            return files
    return []


def _is_class(folder: Path) -> bool:
    """Whether a folder that is called as a split is a class: trains, beside buses and cars.

    It is where it holds no folders, and stands beside folders that are called otherwise.
    """
    splits = {name for names in CALLED.values() for name in names}
    is_beside_others = any(
        path.is_dir() and not is_left_out(path.name) and path.name.lower() not in splits
        for path in folder.parent.iterdir()
    )
    return is_beside_others and not any(path.is_dir() for path in folder.iterdir())


def shares(roles: set[str]) -> dict[str, Shares]:
    """What the splits are of which sets, where sets of these roles are there."""
    if TEST not in roles:
        return {role: Shares(TRAIN, share) for role, share in SHARES.items()}
    if HELDOUT in roles:
        return {role: Shares(role, None) for role in (TRAIN, HELDOUT, TEST)}
    cut = {role: Shares(TRAIN, share) for role, share in OF_TRAINING.items()}
    return {**cut, TEST: Shares(TEST, None)}


def check_apart(places: list[Place]) -> None:
    """Refuse sets of which one lies in another.

    Raises:
        PenumbraError: naming both.
    """
    located = [(place, Path(os.path.realpath(path))) for place in places for path in place.paths]
    for number, (place, path) in enumerate(located):
        for other, beside in located[:number]:
            if path.is_relative_to(beside) or beside.is_relative_to(path):
                raise PenumbraError(
                    f"{place.name} ({path}) and {other.name} ({beside}) hold the same images; give "
                    "every set a folder of its own"
                )


def look(places: list[Place], progress: Callable[[str, int, int], None]) -> list[OwnSet]:
    """Look at all images of all sets; ID sets are labelled.

    Raises:
        PenumbraError: a set holds no images, or is not as it must be.
    """
    looked = []
    for place in places:
        is_id = place.role in CALLED
        seen = Look(place.paths, is_id, partial(progress, place.name))
        if is_id:
            _check_classes(place, seen)
        looked.append(OwnSet(place, seen))
    return looked


def by_role(sets: list[OwnSet]) -> dict[str, OwnSet]:
    """The ID sets by what they are for."""
    return {one.place.role: one for one in sets if one.place.role in CALLED}


def _check_classes(place: Place, seen: Look) -> None:
    where = f"{place.name}, {readable(str(place.paths[0]))}"
    nested = seen.nested()
    if nested:
        tops = {folder.partition("/")[0] for folder in nested}
        wrapped = len(tops) == 1 and len(nested) == len(seen.classes)
        mend = f"give {place.paths[0] / tops.pop()}" if wrapped else "move them up, or merge them"
        raise PenumbraError(
            f"{where}: classes lie in each other, {quoted(nested)}; a class is one folder directly "
            f"below the one that is given: {mend}"
        )
    without = seen.without_class()
    if without:
        has = "no image has a class" if len(without) == len(seen.images) else quoted(without)
        raise PenumbraError(
            f"{where}: {has}{'' if len(without) == len(seen.images) else ' without a class'}; put "
            "every image into a folder that is named as its class, or give a list of `path,label`"
        )
    if seen.is_numbered and place.role == TRAIN:
        largest = max(image.label for image in seen.images)
        check_number(largest, len(seen.images), len(seen.images), place.paths[0])
    if len(seen.classes) < 2 and place.role == TRAIN:
        raise PenumbraError(
            f"{where}: one class alone, {quoted(seen.classes)}, and a classifier needs two; give "
            "the folder that holds one folder for each class"
        )


def check_agreed(sets: Mapping[str, OwnSet]) -> list[str]:
    """Hold the classes of the other ID splits against those of training; gives what is to be told.

    Raises:
        PenumbraError: a split has a class that training has not.
    """
    known = sets[TRAIN].look.classes
    told = []
    for role in (HELDOUT, TEST):
        if role not in sets:
            continue
        theirs = sets[role].look.classes
        strange = [name for name in theirs if name not in known]
        absent = [name for name in known if name not in theirs]
        if strange:
            only = f", and {quoted(absent)} only in {sets[TRAIN].name}" if absent else ""
            raise PenumbraError(
                f"classes differ: {quoted(strange)} only in {sets[role].name}{only}; classes are "
                "matched by name, so give their folders (or labels) the same names"
            )
        if absent:
            told.append(f"{sets[role].name} has no images of {quoted(absent)}")
    return told


def check_enough(sets: Mapping[str, OwnSet]) -> None:
    """Refuse classes of which a split would get no image.

    Raises:
        PenumbraError: naming the classes.
    """
    for role, (of, share) in shares(set(sets)).items():
        low, high = share or (0.0, 1.0)
        few = [
            f"{name} ({count})"
            for name, count in sets[of].look.counts().items()
            if round(high * count) <= round(low * count) and (share or role == TRAIN)
        ]
        if few:
            mend = "--id-test with images of their own" if of == TRAIN and TEST not in sets else ""
            raise PenumbraError(
                f"{sets[of].name}: too few images of {quoted(few)} to leave one for {role}, which "
                f"gets {low:.0%} to {high:.0%} of each class; add images or leave the classes out"
                + (f", or give {mend}" if mend else "")
            )
