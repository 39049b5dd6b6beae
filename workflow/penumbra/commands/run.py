"""Compute tables and figures of a world, and all that they need: Snakemake, with this workflow.

WORLD is a folder that holds a penumbra.yaml, into which results go, files of config, or names of
worlds that ship, each laid over the one before. TARGET is a table, a figure, all_tables,
all_figures, or a file of results.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from penumbra.commands.shared import cores, world
from penumbra.commands.shared.world import PROFILE, Choice
from penumbra.errors import PenumbraError, unknown
from penumbra.home import HOME

HELP = "compute tables and figures of a world, and all that they need"
# What says where jobs run, and how many at once; a call that says it is not given all cores.
WHERE = ("-c", "--cores", "-j", "--jobs", "--profile", "-e", "--executor")

TARGETS = ("all_tables", "all_figures")  # beside the names of tables and figures


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.usage = "penumbra run [WORLD …] [TARGET …] [options] [-- SNAKEMAKE'S OPTIONS]"
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORLD or TARGET",
        help="first the world, the embedded one if none is named; then what to make of it, all "
        "its tables if nothing is named",
    )
    world.add_config(parser)
    parser.add_argument(
        "--cores",
        type=cores.number,
        metavar="N",
        help="cores that jobs may take together; else all",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would run")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="a profile of Snakemake: slurm, which ships, unless this folder has one of that name; "
        "or a folder of your own",
    )


def run(arguments: argparse.Namespace) -> int:
    """Become Snakemake, which so is the one that a signal or Ctrl-C reaches."""
    call = command(arguments)
    sys.stdout.flush()
    os.execv(call[0], call)


def command(arguments: argparse.Namespace) -> list[str]:
    """The call of Snakemake.

    Raises:
        PenumbraError: no such world, table or figure, or Snakemake's own options say again what it
            was given.
    """
    choice, targets = world.split(arguments.words, arguments.config)
    _check(choice, arguments.rest)
    _check_targets(choice, targets)
    return [*choice.snakemake(targets), *_flags(arguments), *arguments.rest]


def _flags(arguments: argparse.Namespace) -> Iterator[str]:
    if not _has(arguments.rest, ("--workflow-profile",)):
        yield from PROFILE
    if arguments.profile:
        yield from ("--profile", _profile(arguments.profile))
    if arguments.cores or not (arguments.profile or _has(arguments.rest, WHERE)):
        yield from ("--cores", arguments.cores or cores.EVERY)
    if arguments.dry_run:
        yield "--dry-run"


def _profile(name: str) -> str:
    """A profile as Snakemake finds it; of one that ships, unless there is one here, the folder."""
    ships = (HOME / name / "config.yaml").is_file()
    return str(HOME / name) if ships and not Path(name).exists() else name


def _check(choice: Choice, options: Sequence[str]) -> None:
    """Refuse what would take the place of the world, of which Snakemake keeps the last."""
    given = {
        ("--configfile", "--configfiles"): choice.files,
        ("--config", "-C"): choice.given,
        ("--directory", "-d"): choice.folder,
    }
    for names, value in given.items():
        if value and _has(options, names):
            raise PenumbraError(
                f"{names[0]} behind -- would take the place of what stands before it; give all of "
                "it on one side"
            )


def _check_targets(choice: Choice, targets: Sequence[str]) -> None:
    """Refuse a name that is none of the world's; files are Snakemake's to know."""
    named = [target for target in targets if not (_ships(target) or {"/", "."} & {*target})]
    if not named:
        return
    from penumbra.planning.reports import files_of  # slow to import
    from penumbra.planning.targets import known

    files, config = choice.config()
    names = {*TARGETS, *known(files_of([world.CONFIG, *(file.parent for file in files)]))}
    for target in named:
        if target not in names:
            text = f"world, table or figure of {config['world']}"
            raise unknown(text, target, [*sorted(names), *world.shipped()], "command line")


def _ships(target: str) -> bool:
    return target in TARGETS or (world.CONFIG / "tables" / f"{target}.yaml").is_file()


def _has(options: Sequence[str], names: Sequence[str]) -> bool:
    """Whether one of the options is among the names: --name, --name=…, -n, -n4."""
    return any(
        option.split("=")[0] == name
        or (len(name) == 2 and option.startswith(name) and not option.startswith("--"))
        for option in options
        for name in names
    )
