"""The worlds that ship; and of a world its tables, figures, scorers, networks, recipes and data.

With neither WORLD nor kind: the worlds. With a WORLD: all of it, or the kinds that are asked for.
"""

import argparse
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from penumbra.commands.shared import world as worlds

if TYPE_CHECKING:
    from penumbra.planning.world import World

HELP = "worlds that ship; tables, scorers, networks, recipes and data of a world"
WIDTH = 100
Rows = Iterable[tuple[str, ...]]


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    worlds.add(parser)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", action="store_true", help=f"only the {kind}")


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    kinds = [kind for kind in KINDS if getattr(arguments, kind)]
    if not kinds and not arguments.world:
        print(_columns((name, first_words(file)) for name, file in worlds.shipped().items()))
        return 0
    world = opened(worlds.choose(arguments.world, arguments.config))
    for kind in kinds or KINDS:
        print(f"{kind.capitalize()} of the world {world.name}")
        print(_columns(KINDS[kind](world)) or "none", end="\n\n")
    return 0


def first_words(file: Path) -> str:
    """The first sentence of the comment that a file begins with."""
    text = " ".join(line.lstrip("# ") for line in _comment(file))
    return re.split(r"[.:]$|\. ", text)[0]


def _comment(file: Path) -> Iterator[str]:
    """The lines that a file begins with, as far as a line that ends in a colon."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line
        if line.endswith(":"):
            return


def opened(choice: worlds.Choice) -> "World":
    """A world as its files say it; data need not be there.

    Raises:
        PenumbraError: all that is wrong with the files.
    """
    from penumbra.planning.checks import check
    from penumbra.planning.world import World

    files, config = choice.config()
    made = World(config, worlds.CONFIG, files)
    check(made)
    return made


def _reports(kind: str) -> Callable[["World"], Rows]:
    def rows(world: "World") -> Iterator[tuple[str, ...]]:
        for name in world.config[kind]:
            yield name, world.table(name)["title"]

    return rows


def _scorers(world: "World") -> Iterator[tuple[str, ...]]:
    """Name, module, and what it reads: the model's outputs, a block, or the network itself."""
    from penumbra.planning import needs

    for name, entry in world.config["scorers"].items():
        wanted = needs.needs(entry)
        source = needs.source(wanted)
        block = f"block {entry.get('block', 'not named')}" if source == "statistics" else source
        fitted = f", fitted on {needs.fit_role(entry)}" if needs.fit_needs(entry) else ""
        yield name, entry["module"], f"{block}: {', '.join(wanted)}{fitted}"


def _networks(world: "World") -> Iterator[tuple[str, ...]]:
    for name in world.config["backbones"]:
        entry = world.backbone(name)
        yield name, entry["network"], entry.get("label", "")


def _recipes(world: "World") -> Iterator[tuple[str, ...]]:
    from penumbra.planning.config import resolve_recipe

    for name, entry in world.config["recipes"].items():
        below = f"extends {entry['extends']}" if "extends" in entry else ""
        yield name, resolve_recipe(world.config["recipes"], name, "")["method"], below


def _datasets(world: "World") -> Iterator[tuple[str, ...]]:
    """Data sets that a world's image sets are of, by split, and whether their files are there."""
    used = [(entry["dataset"], entry["split"]) for entry in world.config["image_sets"].values()]
    lacking = {one for name in world.config["image_sets"] for one in world.lacking(name)}
    sources = (one for pair in dict.fromkeys(used) for one in world.sources(*pair))
    for name, split in sorted(set(sources)):
        is_there = "not there" if (name, split) in lacking else "there"
        yield name, split, is_there, world.datasets[name].get("title", "")


KINDS: dict[str, Callable[["World"], Rows]] = {
    "tables": _reports("tables"),
    "figures": _reports("figures"),
    "scorers": _scorers,
    "networks": _networks,
    "recipes": _recipes,
    "datasets": _datasets,
}


def _columns(rows: Rows) -> str:
    """Rows of texts as columns; the last one goes on below itself where it is long."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for row in rows:
        head = "".join(f"{text:{width}}  " for text, width in zip(row, widths, strict=False))
        wrapped = textwrap.wrap(row[-1], max(WIDTH - len(head), 30)) or [""]
        lines += [head + wrapped[0], *(" " * len(head) + line for line in wrapped[1:])]
    return "\n".join(line.rstrip() for line in lines)
