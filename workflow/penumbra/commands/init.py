"""A world of your own: look at your images, and write the config file that scores them."""

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from penumbra.commands.shared import output
from penumbra.commands.shared.once import Once
from penumbra.errors import PenumbraError
from penumbra.home import FILE
from penumbra.machine import cores

if TYPE_CHECKING:
    from penumbra.images.looks import Look
    from penumbra.own.networks import Given, Network
    from penumbra.own.sets import OwnSet, Place

HELP = "look at images of your own, and write a config file for them"
OFTEN = 10_000  # images between two lines of progress
MOST = 8  # threads; a small network has no use for more


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "folder", type=_folder, metavar="DIR", help="where penumbra.yaml is written"
    )
    parser.add_argument(
        "--id",
        type=_path,
        action=Once,
        required=True,
        metavar="FOLDER|FILE",
        help="in-distribution images: a folder with one folder a class, or with train/ and test/ "
        "of such; Parquet; or a list (.txt, .csv) of paths and classes",
    )
    parser.add_argument(
        "--id-test", type=_path, action=Once, metavar="FOLDER|FILE", help="those to test on"
    )
    parser.add_argument(
        "--ood",
        type=_named,
        action="append",
        required=True,
        metavar="NAME=FOLDER|FILE",
        help="out-of-distribution images, each set with the name that tables give it",
    )
    parser.add_argument(
        "--calibration-ood",
        type=_named,
        action=Once,
        metavar="NAME=FOLDER|FILE",
        help="OOD images that calibrate detectors, and that nothing is tested on",
    )
    parser.add_argument("--size", type=_size, help="side in pixels; by the images' own by default")
    parser.add_argument("--weights", type=_path, metavar="FILE", help="of a classifier of your own")
    parser.add_argument(
        "--network", help="what they are of: torchvision:NAME, timm:NAME or python:MODULE:FUNCTION"
    )
    parser.add_argument(
        "--classes", type=_path, metavar="FILE", help="its classes in order, one a line"
    )
    parser.add_argument("--name", help="of the world; that of DIR by default")
    parser.add_argument(
        "--leave-out-broken",
        action="store_true",
        help="go on without images that cannot be read; DIR gets a list of the others",
    )
    parser.add_argument("--force", action="store_true", help="write over an own penumbra.yaml")


def _folder(text: str) -> Path:
    return Path(text) if text else _path(text)


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name.strip() and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    return name.strip(), _path(path)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name; is a variable of the shell empty?")
    try:
        return Path(text).expanduser().absolute()  # a shell leaves the ~ of NAME=~/FOLDER
    except RuntimeError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: nobody of this name has a home here; write the whole path"
        ) from None


def _size(text: str) -> int:
    if not text.isdecimal() or not 8 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 8 to 1024")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Look, print what is there and what is chosen, and write the file."""
    from penumbra.images import lists
    from penumbra.store.files import write_text

    if arguments.classes and not arguments.weights:
        raise PenumbraError("--classes is of given weights; name these by --weights and --network")
    if bool(arguments.weights) != bool(arguments.network):
        raise PenumbraError("--weights and --network go together; give both, or train by neither")
    file = arguments.folder / FILE
    if file.exists() and not arguments.force:
        raise PenumbraError(f"{file} is there already; give another folder, or --force")
    _check_folder(arguments.folder)
    sets, kept = _looked(arguments)
    text = _chosen(arguments, sets)
    _check_lists(kept, arguments)
    for path, rows in kept.items():
        lists.write(path, rows)
    write_text(file, text)
    print(f"wrote {file}; next: penumbra run {shlex.quote(str(arguments.folder))}")
    return 0


def _check_lists(kept: "dict[Path, list]", arguments: argparse.Namespace) -> None:
    """Refuse to write lists without broken images over files that are there."""
    read = [arguments.id, *(Path(path) for _, path in arguments.ood)]
    read += [arguments.id_test] if arguments.id_test else []
    read += [arguments.calibration_ood[1]] if arguments.calibration_ood else []
    for path in kept:
        output.check_kept(path, read)
        if path.exists() and not arguments.force:
            raise PenumbraError(
                f"{path}: is there already, and the list without broken images would be written "
                "over it; give another folder, another name, or --force"
            )


def _check_folder(folder: Path) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise PenumbraError(f"{folder}: {there} is no folder; name another place for the world")
    if not os.access(there, os.W_OK):
        raise PenumbraError(f"{folder}: {there} cannot be written to; name another place")


def _looked(arguments: argparse.Namespace) -> "tuple[list[OwnSet], dict[Path, list]]":
    """All sets, described; what can't work is refused, and what should be known is told.

    Then the lists to write of sets without their broken images, by file.
    """
    from penumbra.own import file as own_file
    from penumbra.own import networks as own_networks
    from penumbra.own import report as own_found
    from penumbra.own import sets as own_sets

    if arguments.weights:
        own_networks.check(_given(arguments))
    places = _places(arguments)
    own_sets.check_apart(places)
    sets = own_sets.look(places, _progress)
    for one in sets:
        print("\n".join(own_found.describe(one)))
    kept: dict[Path, list] = {}
    if arguments.leave_out_broken:
        sets = [own_file.without_broken(one, arguments.folder, kept) for one in sets]
    own_found.check_broken(sets)
    ids = own_sets.by_role(sets)
    notes = [*own_sets.check_agreed(ids), *own_found.warnings(sets)]
    own_sets.check_enough(ids)
    print("".join(f"note: {note}\n" for note in notes), end="")
    return sets, kept


def _chosen(arguments: argparse.Namespace, sets: "list[OwnSet]") -> str:
    """The file's text; what is chosen for it is printed with the reasons."""
    from penumbra.own import choices as own_choices
    from penumbra.own import file as own_file
    from penumbra.own import names as own_names
    from penumbra.own import sets as own_sets

    ids = own_sets.by_role(sets)
    others = [one for one in sets if one not in ids.values()]
    train, share = ids[own_sets.TRAIN].look, own_sets.shares(set(ids))[own_sets.TRAIN].share
    trained_on = share[1] if share else 1.0  # of each class
    k = own_choices.neighbours(train, trained_on)
    network = _network(arguments, train, trained_on)
    reasons = list(network.reasons)
    if k:
        reasons.append(f"{k} neighbours of KNN: half of the smallest class")
    dim = own_choices.principal(round(len(train.images) * trained_on), network.features)
    if dim:
        reasons.append(f"{dim} dimensions of ViM: half of the training images")
    print("\n  ".join(["chosen (edit the file where you know better):", *reasons]))
    world = own_names.world_name(_name(arguments))
    label = arguments.id.name if arguments.id.is_dir() else arguments.id.stem
    threads = min(cores(), MOST)
    return own_file.text(own_file.Own(world, label, ids, others, threads, k, dim), network)


def _name(arguments: argparse.Namespace) -> str:
    return arguments.name or arguments.folder.resolve().name


def _places(arguments: argparse.Namespace) -> "list[Place]":
    from penumbra.own import names as own_names
    from penumbra.own import sets as own_sets

    named = [(own_sets.OOD, *one) for one in arguments.ood]
    if arguments.calibration_ood:
        named.append((own_sets.CALIBRATION, *arguments.calibration_ood))
    own_names.world_name(_name(arguments))  # refused before a look at the images
    own_names.check_names([name for _, name, _ in named])
    others = [own_sets.Place(role, name, own_sets.files_of(path)) for role, name, path in named]
    return [*own_sets.id_places(arguments.id, arguments.id_test), *others]


def _network(arguments: argparse.Namespace, train: "Look", share: float) -> "Network":
    """How images are brought to a network, and how it is trained or where its weights are."""
    import torch  # slow to import

    from penumbra.own import choices as own_choices
    from penumbra.own import networks as own_networks

    if arguments.weights:
        return own_networks.given(_given(arguments), train, arguments.size)
    count = round(len(train.images) * share)
    choices = own_choices.choose(train, count, arguments.size, torch.cuda.is_available())
    return own_networks.trained(choices)


def _given(arguments: argparse.Namespace) -> "Given":
    from penumbra.own.networks import Given

    return Given(arguments.weights, arguments.network, arguments.classes)


def _progress(name: str, number: int, of: int) -> None:
    if number % OFTEN == 0 and number < of:
        print(f"{name}: {number:,} of {of:,} images looked at", flush=True)
