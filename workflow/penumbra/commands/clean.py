"""Artifacts and logs of a world that none of its tables and figures needs.

They are listed with their sizes; only --remove removes them. Other files, and all outside
results/WORLD and logs/WORLD, are left alone, as are saved states of trainings that were stopped.
"""

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from penumbra.commands.shared import world
from penumbra.errors import PenumbraError
from penumbra.store.checked import remove
from penumbra.store.seals import CARRIERS, RECORD

HELP = "artifacts that no table or figure of a world needs; --remove removes them"
# What stages write: artifacts, records of runs, a table's and a figure's formats.
SUFFIXES = (*CARRIERS, ".json", ".csv", ".md", ".tex", ".html", ".png", ".svg")
UNITS = ("kB", "MB", "GB")
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

    choice = world.choose(arguments.world, arguments.config)
    home = choice.folder or Path()
    if arguments.remove:
        _refuse_company(home)
    planned = plan(TARGETS, choice.files, choice.given, choice.folder)
    needed = {file for job in planned.jobs for file in (*job.outputs, *job.logs)}
    tops = results, logs = [home / top / planned.world for top in ("results", "logs")]
    artifacts, old = unneeded(results, needed, home), _old_logs(logs, needed, home)
    if not artifacts and not old:
        print(f"World {planned.world}: its tables and figures need everything that is there")
        return 0
    for line in _listed(artifacts):
        print(line)
    if old:
        print(f"{_size(old)}  logs in {logs}")
    done = ", removed" if arguments.remove else "; --remove removes them"
    print(f"{_size([*artifacts, *old])}  in {len(artifacts) + len(old)} files{done}")
    if arguments.remove:
        _remove([*artifacts, *old], tops)
    return 0


def _refuse_company(home: Path) -> None:
    from penumbra.calls.records import living

    if calls := living(home):
        raise PenumbraError(
            f"{calls[0]} works in this folder, and may be about to write what is listed; wait for "
            "its end, then call this again"
        )


def _listed(artifacts: list[Path]) -> Iterator[str]:
    """A line for each artifact, the record of its run counted with it."""
    owners: dict[str, list[Path]] = {}
    for file in artifacts:
        owners.setdefault(str(file).removesuffix(RECORD), []).append(file)
    for owner, files in owners.items():
        yield f"{_size(files)}  {owner}"


def unneeded(results: Path, needed: set[str], home: Path) -> list[Path]:
    """Files that stages wrote below `results` and that are not needed; records go with theirs.

    `needed` are paths seen from `home`.
    """
    folders = _folders()
    return [
        file
        for file in _files(results)
        if file.relative_to(results).parts[0] in folders
        and file.suffix in SUFFIXES
        and _seen_from(home, file).removesuffix(RECORD) not in needed
        and _was_written(file)
    ]


def _was_written(file: Path) -> bool:
    """Whether a stage wrote a file: it, or one of its name in another format, says so."""
    owner = Path(str(file).removesuffix(RECORD))
    others = (owner.with_suffix(suffix) for suffix in (*CARRIERS, ".png"))
    return any(map(_says_so, (owner, *others)))


def _says_so(file: Path) -> bool:
    from penumbra.store.artifacts import provenance_of, run_record  # slow to import

    try:
        return run_record(file).is_file() or bool(provenance_of(file))
    except PenumbraError:
        return False


def _old_logs(logs: Path, needed: set[str], home: Path) -> list[Path]:
    files = (file for file in _files(logs) if file.suffix == ".log")
    return [file for file in files if _seen_from(home, file) not in needed]


def _folders() -> set[str]:
    """The folders of a world's results that rules write into."""
    from penumbra.planning.paths import TEMPLATES

    return {template.split("/")[0] for template in TEMPLATES.values()}


def _files(folder: Path) -> list[Path]:
    """All files below a folder, but for hidden ones, and for what a link leads to."""
    files = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(top, name) for name in sorted(names) if not name.startswith(".")]
    return [file for file in files if file.is_file() and not file.is_symlink()]


def _seen_from(home: Path, file: Path) -> str:
    return os.path.relpath(file, home)


def _remove(files: Iterable[Path], tops: Iterable[Path]) -> None:
    """Remove files, and folders that hold nothing any more."""
    for file in files:
        remove(file)
    for top in tops:
        for folder, _, _ in os.walk(top, topdown=False):
            if folder != str(top) and not os.listdir(folder):
                os.rmdir(folder)


def _size(files: Iterable[Path]) -> str:
    """How large files are, for a person, and as wide as a column."""
    size = sum(file.stat().st_size for file in files) / 1000
    unit = next((unit for unit in UNITS[:-1] if size < 1000 ** (UNITS.index(unit) + 1)), UNITS[-1])
    return f"{size / 1000 ** UNITS.index(unit):>8.1f} {unit}"
