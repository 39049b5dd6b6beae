"""The config file of a world of one's own."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images import lists
from penumbra.images.names import check_text
from penumbra.own.names import quote, slug
from penumbra.own.networks import Network
from penumbra.own.sets import (
    CALIBRATION,
    HELDOUT,
    OOD,
    TEST,
    TRAIN,
    OwnSet,
    shares,
)


class Own(NamedTuple):
    """All that the file says of images and machine."""

    world: str
    label: str
    sets: Mapping[str, OwnSet]  # ID, by role
    others: list[OwnSet]
    threads: int
    neighbours: int | None  # KNN's k, where it is not the usual one
    principal: int | None  # ViM's dimension, where it is not the usual one


def text(own: Own, network: Network) -> str:
    """The file."""
    return "\n".join([*_head(own), *_images(own, network), *_trained(own, network), ""])


def _head(own: Own) -> Iterator[str]:
    root = _root(own)
    yield "# Made by `penumbra init`; `penumbra schema` describes every key."
    yield "base: own"
    yield f"world: {quote(own.world)}"
    yield f"data_root: {quote(str(root)) if root else 'null'} # the paths below lie in it"
    yield "seeds: [0] # [0, 1, 2] trains three networks, and tables give deviations"
    # Jobs of one thread are forked, and as many run side by side as there are cores.
    yield f"compute: {{threads: {{models: {own.threads}, features: 1}}}} # cores of a job"
    of_few = [f"knn: {{options: {{k: {own.neighbours}}}}}"] if own.neighbours else []
    of_few += [f"vim: {{fit: {{dim: {own.principal}}}}}"] if own.principal else []
    if of_few:
        yield f"scorers: {{{', '.join(of_few)}}} # of so few images"


def _images(own: Own, network: Network) -> Iterator[str]:
    shape = f"{{reader: stored, size: {network.size}, square: {network.square}}}"
    ids = {_split(own, role): one for role, one in own.sets.items()}
    others = {_key(one): one for one in own.others}
    look = own.sets[TRAIN].look
    count = len(look.classes)
    are_numbered = look.layout == "parquet" and look.classes == [str(n) for n in range(count)]
    number = f", classes: {count}" if are_numbered else ""
    title = quote(own.label)
    yield "datasets: # where they lie, and what images are brought to: size x size pixels"
    yield f"  own-id: {{<<: &images {shape}, title: {title}, labelled: true{number},"
    yield f"    splits: {{{_paths(own, ids)}}}}}"
    yield f"  own-ood: {{<<: *images, title: {quote(f'OOD beside {own.label}')}, labelled: false,"
    yield f"    splits: {{{_paths(own, others)}}}}}"
    yield "image_sets:"
    for role, (of, share) in shares(set(own.sets)).items():
        cut = f", share: [{share[0]}, {share[1]}]" if share else ""
        yield f"  {role}: {{dataset: own-id, split: {_split(own, of)}{cut}, label: {title}}}"
    for name, one in others.items():
        yield f"  {name}: {{dataset: own-ood, split: {name}, label: {quote(one.name)}}}"


def _trained(own: Own, network: Network) -> Iterator[str]:
    far = ", ".join(_key(one) for one in own.others if one.place.role == OOD)
    calibrating = (_key(one) for one in own.others if one.place.role == CALIBRATION)
    calibration = "".join(f" calibration_ood: {name}," for name in calibrating)
    yield "benchmarks:"
    yield f"  {quote(own.world)}:"
    yield f"    {{label: {quote(own.label)}, train: {TRAIN}, heldout: {HELDOUT}, test: {TEST},"
    yield f"    ood: {{far: [{far}]}},{calibration} missing: error,"
    unknown = "" if network.is_known else " # UNKNOWN: write that of the weights' training"
    yield f"    normalisation: {network.normalisation}}}{unknown}"
    yield "backbones:"
    yield network.backbone
    yield "recipes:"
    yield network.recipe
    if not network.has_maps:
        yield "tables: [own_outputs] # own_scores without FN and CCFN, which read feature maps"


def _key(one: OwnSet) -> str:
    return quote(slug(one.name))


def _split(own: Own, role: str) -> str:
    return "all" if len(own.sets) == 1 else role


def _paths(own: Own, splits: Mapping[str, OwnSet]) -> str:
    root = _root(own)
    return ", ".join(f"{name}: {{path: {_path(one, root)}}}" for name, one in splits.items())


def _root(own: Own) -> Path | None:
    """The folder that all sets lie in; None where that is the root of the file system."""
    sets = [*own.sets.values(), *own.others]
    held = [str(path.absolute().parent) for one in sets for path in one.place.paths]
    common = Path(os.path.commonpath(held))
    return None if common == Path(common.anchor) else common


def _path(one: OwnSet, root: Path | None) -> str:
    paths = [path.absolute() for path in one.place.paths]
    check_text(list(map(str, paths)), one.name)
    told = [quote(str(path.relative_to(root) if root else path)) for path in paths]
    return told[0] if len(told) == 1 else f"[{', '.join(told)}]"


def without_broken(one: OwnSet, folder: Path, kept: dict[Path, list]) -> OwnSet:
    """The set without the images that can't be read, as a list of the others in `folder`.

    The list's rows are put into `kept`, by its file, and are to be written.

    Raises:
        PenumbraError: none is left, or they lie in Parquet files.
    """
    broken, look = one.look.broken, one.look
    if not broken:
        return one
    if look.layout == "parquet":
        raise PenumbraError(
            f"{one.name}: {broken[0].origin} cannot be left out of a Parquet file ({len(broken)} "
            "such rows); write the file again without them"
        )
    look.leave_out_broken()
    if not look.images:
        raise PenumbraError(f"{one.name}: none of its images can be read")
    base = look.paths[0].absolute()
    base = base if look.layout == "folder" else base.parent
    labels = [look.classes[i.label] if i.label >= 0 else "" for i in look.images]
    labels = labels if all(labels) else [""] * len(labels)
    file = folder.absolute() / f"{slug(one.name)}.csv"
    paths = [str(base / image.origin) for image in look.images]
    kept[file] = list(zip(paths, labels, strict=True))
    _check_list(one.name, kept[file], file)
    return one._replace(place=one.place._replace(paths=[file]))


def _check_list(name: str, rows: list[tuple[str, str]], file: Path) -> None:
    """Refuse classes that a list would read as others than the folders named."""
    numbered = enumerate(rows, 2)  # below the head
    lines = [lists.Line(number, path, label.strip()) for number, (path, label) in numbered]
    try:
        lists.check(lines, file)
        blank = [label for _, label in rows if label != label.strip()]
        if blank:
            raise PenumbraError(f"the label {blank[0]!r} begins or ends with a blank")
    except PenumbraError as error:
        raise PenumbraError(
            f"{name}: a list without the broken images would not be read as the folders are: "
            f"{error}. Rename the folders, or take the broken images out of them"
        ) from None
