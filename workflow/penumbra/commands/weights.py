"""The published weights that a world names: where each is found, what lies there, what wants it."""

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penumbra.commands.list import opened
from penumbra.commands.shared import world as worlds
from penumbra.errors import PenumbraError

if TYPE_CHECKING:
    from penumbra.planning.weights import Wanted
    from penumbra.planning.world import World

HELP = "published weights of a world: which, from where, whether they are there and right"
WIDTH = 100


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    worlds.add(parser)
    parser.add_argument(
        "--read",
        action="store_true",
        help="read each file that is there as its part does: layout, names and shapes of tensors, "
        "and whether a generator belongs to its encoder",
    )


def run(arguments: argparse.Namespace) -> int:
    """List them, and what each table and figure lacks; 1 where one that is there is wrong."""
    from penumbra.planning.weights import wanted

    world = opened(worlds.choose(arguments.world, arguments.config))
    files = wanted(world)
    if not files:
        print(f"World {world.name} names no published weights: it trains its own")
        return 0
    there = sum(file.is_there for file in files)
    print(f"World {world.name}: {there} of {len(files)} are in {world.config['weights_root']}")
    wrong = 0
    for file in files:
        print("\n" + "\n".join(_lines(file)))
        try:
            file.check()
            if arguments.read and file.is_there:
                print(f"  read: {_read(world, file)}")
        except PenumbraError as error:
            wrong += 1
            print(textwrap.indent(f"WRONG: {error}", "  "))
    print(f"\nTables and figures of the world {world.name}")
    for report in (*world.config["tables"], *world.config["figures"]):
        lacking = [file.name for file in files if report in file.reports and not file.is_there]
        print(f"{report:28}{'lacks ' + ', '.join(lacking) if lacking else 'lacks none'}")
    return 1 if wrong else 0


def _lines(file: "Wanted") -> Iterator[str]:
    known = file.known
    has = f"there, {file.size / 1e9:.2f} GB" if file.is_there else "not there"
    yield f"{file.name}: {has}"
    if file.size and (inside := [path for path in file.lacking if path != file.place]):
        yield f"  lacks {', '.join(str(path.relative_to(file.place)) for path in inside)}"
    if known is None:
        yield "  nothing is stated of it; see who published it"
    else:
        name = f", as {known.published}" if known.published else ""
        yield f"  {known.title}; tensors of {known.gigabytes:g} GB"
        yield f"  found: {known.source}{name}"
        yield f"  licence: {known.licence}"
    yield f"  digest: {file.digest}…, in its name" if file.digest else "  digest: none is published"
    yield f"  named by {', '.join(file.keys)}"
    told = (
        f"wanted by {', '.join(file.reports)}" if file.reports else "wanted by no table or figure"
    )
    yield from textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _read(world: "World", file: "Wanted") -> str:
    """What each part says that is loaded from a file or folder; CLIP of its own."""
    from penumbra.planning.parts import part

    names = [
        name for name in world.config["parts"] if part(world, name).get("weights") == file.name
    ]
    if not names:
        return _read_clip(file.place)
    return "; ".join(f"{name} {_of_part(world, part(world, name), file.place)}" for name in names)


def _of_part(world: "World", entry: dict[str, Any], place: Path) -> str:
    from penumbra.planning.parts import part, weights_file
    from penumbra.plugins import load

    encoder = part(world, entry["encoder"]) if "encoder" in entry else None
    own, told = None, ""
    if encoder is not None:
        encoder_file = weights_file(world, encoder) if encoder.get("weights") else None
        if encoder_file is not None and encoder_file.is_file():
            own, told = _encoder(encoder_file, encoder), " of that encoder"
        else:
            told = ", whose encoder is not there to compare"
    state = load("parts", entry["kind"]).published(place, entry.get("options", {}), own)
    return f"{len(state)} tensors of {sum(t.numel() for t in state.values()):,} numbers{told}"


def _encoder(file: Path, entry: dict[str, Any]) -> Any:
    from penumbra.networks.generative.moco import MoCo
    from penumbra.networks.loading import official

    return MoCo.from_state(official.read(file, "moco"), entry.get("options", {}).get("heads"))


def _read_clip(folder: Path) -> str:
    from transformers import CLIPModel, CLIPProcessor

    from penumbra.networks.loading.clip_files import holds_clip, pretrained

    if not holds_clip(folder):
        return "by no part; its digest is all that is looked at here"
    model, _ = pretrained(folder, CLIPModel, CLIPProcessor)
    return f"CLIP of {model.num_parameters():,} numbers"
