"""What was found in the image sets of a world of one's own, in words."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.looks import Look, shared
from penumbra.images.names import readable
from penumbra.own.sets import CALIBRATION, CALLED, OOD, TRAIN, OwnSet

FEW = 12  # classes that are listed one by one; of more, the smallest and the largest
NAMED = 20  # broken images that are named
GREY = ("L", "1", "I;16", "I", "LA")
APART = 2.0  # the sides of two sets differ by more: how sharp images are may tell them apart


def describe(one: OwnSet) -> Iterator[str]:
    """Lines about a set: images, classes, sizes, formats."""
    look = one.look
    where = ", ".join(readable(str(_from_here(path))) for path in look.paths[:2])
    yield f"{one.name}: {len(look.images):,} images in {where}{', …' * (len(look.paths) > 2)}"
    if one.place.role in CALLED:
        yield f"  classes   {_classes(look.counts())}"
    if look.kinds:
        yield f"  sizes     {_sizes(look)}"
        yield f"  formats   {_listed(look.formats())}; modes {_listed(look.modes())}"
    if look.unread():
        yield f"  not read  {_listed(look.unread())}"
    if look.left_out:
        yield f"  left out  {look.left_out}"


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _classes(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    if len(ordered) <= FEW:
        return f"{len(counts)}: " + ", ".join(f"{readable(c)} {n:,}" for c, n in counts.items())
    first, last = ordered[0], ordered[-1]
    return (
        f"{len(counts)}, from {readable(last[0])} with {last[1]:,} to {readable(first[0])} with "
        f"{first[1]:,} images"
    )


def _sizes(look: Look) -> str:
    sizes = sorted(((k.width, k.height) for k in look.kinds), key=lambda s: (s[0] * s[1], s))
    first, middle, last = (f"{w}×{h}" for w, h in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    return first if sizes[0] == sizes[-1] else f"{first} to {last}, median {middle}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def check_broken(sets: list[OwnSet]) -> None:
    """Refuse sets with images that can't be read.

    Raises:
        PenumbraError: naming each, and what ails it.
    """
    lines = [
        f"  {one.name}: {readable(b.origin)}: {b.trouble}" for one in sets for b in one.look.broken
    ]
    if lines:
        more = [f"  and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
        are_files = any(one.look.broken and one.look.layout != "parquet" for one in sets)
        without = ", or go on without them by --leave-out-broken" if are_files else ""
        raise PenumbraError(
            "\n".join([f"{len(lines)} images cannot be read:", *lines[:NAMED], *more])
            + f"\nReplace or remove them{without}"
        )


def warnings(sets: list[OwnSet]) -> Iterator[str]:
    """What may make numbers say less than they seem to."""
    yield from (f"{one.name}: {note}" for one in sets for note in one.look.notes)
    by_name = {one.name: one for one in sets}
    for (name, other), pairs in shared((one.name, one.look) for one in sets).items():
        yield f"{_twice(by_name[name], by_name[other], len(pairs))}: {_pair(*pairs[0])}"
    train = next(one for one in sets if one.place.role == TRAIN)
    for one in sets:
        if one.place.role in (OOD, CALIBRATION):
            if len(one.look.images) == 1:
                yield f"{one.name} is one image, by which nothing can be said; give more of them"
            yield from _betrayed(train, one)


def _twice(one: OwnSet, other: OwnSet, count: int) -> str:
    images = f"{count} image{'s' * (count > 1)}"
    if one is other:
        return f"{images} of {one.name} {'are' if count > 1 else 'is'} in it twice"
    both = {place.role in CALLED for place in (one.place, other.place)}
    kinds = "both ID and OOD" if both == {True, False} else "in two sets"
    return f"{images} {'are' if count > 1 else 'is'} {kinds}, in {one.name} and {other.name}"


def _pair(one: str, other: str) -> str:
    return readable(one) if one == other else f"{readable(one)} and {readable(other)}"


def _betrayed(train: OwnSet, one: OwnSet) -> Iterator[str]:
    """What tells OOD images from ID images without a look at what they show."""
    ours, theirs = train.look, one.look
    if not set(ours.formats()) & set(theirs.formats()):
        yield (
            f"{one.name} is {_names(theirs.formats())}, ID images are {_names(ours.formats())}: "
            "marks of the format may tell them apart"
        )
    if _is_grey(ours) != _is_grey(theirs):
        grey, coloured = (one.name, "ID images") if _is_grey(theirs) else ("ID images", one.name)
        yield f"{grey} are grey, {coloured} are coloured: colour alone may tell them apart"
    sides = sorted((ours.side(), theirs.side()))
    if sides[1] > APART * sides[0]:
        yield (
            f"{one.name} is {theirs.side()} pixels wide, ID images {ours.side()} (medians of the "
            "shorter side): sharpness may tell them apart"
        )


def _is_grey(look: Look) -> bool:
    return sum(look.modes()[mode] for mode in GREY) > len(look.kinds) / 2


def _names(counts: Counter[str]) -> str:
    return " and ".join(name for name, _ in counts.most_common())
