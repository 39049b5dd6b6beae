"""The config file of a world of one's own."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images import lists
from penumbra.images.names import check_text, readable
from penumbra.planning.own_choices import Choices
from penumbra.planning.own_sets import (
    CALIBRATION,
    CALLED,
    HELDOUT,
    OOD,
    TEST,
    TRAIN,
    OwnSet,
    shares,
)

FILE = "penumbra.yaml"
PLAIN = re.compile(r"[A-Za-z/](?:[\w ./-]*[\w./-])?", re.ASCII)
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
HALF = "{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"


class Network(NamedTuple):
    """What of a world says how images are brought to a network, and how it comes by its weights."""

    size: int
    square: str
    normalisation: str
    backbone: str  # lines of YAML
    recipe: str


def trained(choices: Choices) -> Network:
    """A network that is trained on the images."""
    backbone = (
        "  resnet18: {label: ResNet-18, network: resnet, "
        f"options: {{layers: 18, width: {choices.width}, stem: {choices.stem}}}}}"
    )
    recipe = f"""\
  standard:
    {{method: standard, momentum: 0.9, nesterov: true, weight_decay: 0.0005,
    epochs: {choices.epochs}, batch_size: {choices.batch_size}, lr: {choices.lr},
    schedule: {{kind: cosine_iteration, warmup_epochs: 1}}, precision: {choices.precision},
    augment: {{flip: {str(choices.flip).lower()}, crop_padding: {choices.size // 8}}}}}"""
    return Network(choices.size, choices.square, HALF, backbone, recipe)


class Own(NamedTuple):
    """All that the file says of images and machine."""

    world: str
    label: str
    sets: Mapping[str, OwnSet]  # ID, by role
    others: list[OwnSet]
    threads: int


def slug(name: str) -> str:
    """A name as those of entries are: lower-case letters, digits, dots and hyphens.

    Raises:
        PenumbraError: nothing is left of it.
    """
    made = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    if not made:
        raise PenumbraError(f"{readable(name)!r} is no name; use letters, digits and hyphens")
    return made


def quote(text: str) -> str:
    """A text as YAML has it between brackets."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)  # JSON's texts are YAML's


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
    threads = f"{{models: {own.threads}, features: {own.threads}}}"
    yield f"compute: {{threads: {threads}}} # cores of a job"


def _images(own: Own, network: Network) -> Iterator[str]:
    shape = f"{{reader: stored, size: {network.size}, square: {network.square}}}"
    ids = {_split(own, role): one for role, one in own.sets.items()}
    others = {slug(one.name): one for one in own.others}
    look = own.sets[TRAIN].look
    number = f", classes: {len(look.classes)}" if look.layout == "parquet" else ""
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
    far = ", ".join(slug(one.name) for one in own.others if one.place.role == OOD)
    judges = (slug(one.name) for one in own.others if one.place.role == CALIBRATION)
    calibration = "".join(f" calibration_ood: {name}," for name in judges)
    yield "benchmarks:"
    yield f"  {slug(own.label)}:"
    yield f"    {{label: {quote(own.label)}, train: {TRAIN}, heldout: {HELDOUT}, test: {TEST},"
    yield f"    ood: {{far: [{far}]}},{calibration} missing: error,"
    yield f"    normalisation: {network.normalisation}}}"
    yield "backbones:"
    yield network.backbone
    yield "recipes:"
    yield network.recipe


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


def without_broken(one: OwnSet, folder: Path) -> OwnSet:
    """The set without the images that can't be read, as a list of the others in `folder`.

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
    folder.mkdir(parents=True, exist_ok=True)
    lists.write(file, list(zip(paths, labels, strict=True)))
    return one._replace(place=one.place._replace(paths=[file]))


def check_names(places: list[str]) -> None:
    """Refuse names of sets that are alike, or that an ID split has.

    Raises:
        PenumbraError: naming both.
    """
    taken = dict.fromkeys(CALLED, "an ID split")
    for name in places:
        if slug(name) in taken:
            raise PenumbraError(
                f"{readable(name)} is called like {taken[slug(name)]}, {slug(name)!r}; give "
                "another name: --ood NAME=FOLDER"
            )
        taken[slug(name)] = readable(name)
