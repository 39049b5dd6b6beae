"""Artifacts and logs of a world that none of its tables and figures needs.

They are listed with their sizes; only --remove removes them. Other files, and all outside
results/WORLD and logs/WORLD, are left alone, as are saved states of trainings that were stopped.
"""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from penumbra.commands.shared import world
from penumbra.errors import PenumbraError

HELP = "artifacts that no table or figure of a world needs; --remove removes them"
# What stages write: artifacts, records of runs, a table's and a figure's formats.
SUFFIXES = (".parquet", ".safetensors", ".json", ".csv", ".md", ".tex", ".html", ".png", ".svg")
TARGETS = ("all_tables", "all_figures")


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    world.add(parser)
    parser.add_argument("--remove", action="store_true", help="remove what is listed")


def run(arguments: argparse.Namespace) -> int:
    """List what is not needed, and remove it if told to.

    Raises:
        PenumbraError: a call of Snakemake works in the folder.
    """
    from penumbra.calls.jobs import plan  # slow to import
    from penumbra.calls.records import living

    choice = world.choose(arguments.world, arguments.config)
    home = choice.folder or Path()
    if arguments.remove and (calls := living(home)):
        raise PenumbraError(
            f"{calls[0]} works in this folder, and may be about to write what is listed; wait for "
            "its end, then call this again"
        )
    planned = plan(TARGETS, choice.files, choice.given, choice.folder)
    needed = {file for job in planned.jobs for file in (*job.outputs, *job.logs)}
    results, logs = (home / top / planned.world for top in ("results", "logs"))
    files = unneeded(results, needed, home, _stages())
    old = [file for file in _files(logs) if _seen_from(home, file) not in needed]
    told = files + [file for file in old if file.suffix == ".log"]
    for file in told:
        print(f"{_size(file.stat().st_size):>9}  {file}")
    total = _size(sum(file.stat().st_size for file in told))
    if not told:
        print(f"World {planned.world}: its tables and figures need everything that is there")
    elif not arguments.remove:
        print(f"{total:>9}  in {len(told)} files; --remove removes them")
    else:
        _remove(told, (results, logs))
        print(f"{total:>9}  in {len(told)} files, removed")
    return 0


def unneeded(results: Path, needed: set[str], home: Path, stages: set[str]) -> list[Path]:
    """Files that stages wrote below `results` and that are not needed; records go with theirs."""
    found = []
    for file in _files(results):
        is_ours = file.relative_to(results).parts[0] in stages and file.suffix in SUFFIXES
        owner = _seen_from(home, file).removesuffix(".run.json")
        if is_ours and owner not in needed:
            found.append(file)
    return found


def _stages() -> set[str]:
    """The folders of a world's results that rules write into."""
    from penumbra.planning.paths import TEMPLATES

    return {template.split("/")[0] for template in TEMPLATES.values()}


def _files(folder: Path) -> list[Path]:
    """All files below a folder, but for hidden ones, and for what a link leads to."""
    found = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(top, name) for name in sorted(names) if not name.startswith(".")]
    return [file for file in found if file.is_file() and not file.is_symlink()]


def _seen_from(home: Path, file: Path) -> str:
    return os.path.relpath(file, home)


def _remove(files: Iterable[Path], tops: Iterable[Path]) -> None:
    """Remove files, and folders that hold nothing any more."""
    for file in files:
        file.unlink()
    for top in tops:
        for folder, _, _ in os.walk(top, topdown=False):
            if folder != str(top) and not os.listdir(folder):
                os.rmdir(folder)


def _size(count: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
