"""Which world a command is about: a folder, files of config, or names of worlds that ship."""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from penumbra import home
from penumbra.errors import PenumbraError, unknown
from penumbra.home import FILE

EMBEDDED = "embedded"  # what all others are laid over
CONFIG = home.HOME / "config"
PROFILE = ("--workflow-profile", str(home.PROFILE))
KEY = re.compile(r"[a-zA-Z_][\w-]*\w")  # what Snakemake takes


class Choice(NamedTuple):
    """Files of config, the folder that results go into, None for that of the call, and --config."""

    files: list[Path]
    folder: Path | None
    given: list[str]

    def snakemake(self, targets: Sequence[str]) -> list[str]:
        """Snakemake's call that makes targets in this world; how jobs run is added to it."""
        call = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(home.SNAKEFILE)]
        call += ["--directory", str(self.folder)] if self.folder else []
        call += ["--configfile", *map(str, self.files)] if self.files else []
        return call + (["--config", *self.given] if self.given else [])

    def config(self) -> tuple[list[Path], dict[str, Any]]:
        """All files that the config is laid together from, in order, and what it says.

        Raises:
            PenumbraError: all that is wrong with the files as YAML.
        """
        from snakemake.cli import parse_config  # slow to import

        from penumbra.planning.base import laid_over
        from penumbra.planning.config import Files, merge

        given = merge(Files(self.files).laid(), parse_config(self.given))
        below, config = laid_over(CONFIG, given)
        return [*below, *self.files], config

    def place(self, file: str) -> Path:
        """Where a file of the results lies, seen from the folder of the call."""
        return (self.folder or Path()) / file


def shipped() -> dict[str, Path]:
    """Worlds that ship, the embedded one first, and their files."""
    files = {file.stem: file for file in CONFIG.glob("*.yaml") if file.stem != "config"}
    others = {name: files[name] for name in sorted(files) if _is_world(files[name])}
    return {EMBEDDED: CONFIG / "config.yaml", **others}


def _is_world(file: Path) -> bool:
    return bool(re.search(r"^world:", file.read_text(encoding="utf-8"), re.MULTILINE))


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments by which a world is named."""
    parser.add_argument(
        "world",
        nargs="*",
        metavar="WORLD",
        help=f"a folder with a {FILE}, files of config, or names of worlds that ship (penumbra "
        "list), each laid over the one before; the embedded world if none is given",
    )
    add_config(parser)


def _pair(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not (key.strip() and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    if not KEY.fullmatch(key):
        raise argparse.ArgumentTypeError(
            f"{key!r} is no key: a key of the first level is given, as seeds; write what lies "
            "below one into a file of config, and name that behind the world"
        )
    return text


def add_config(parser: argparse.ArgumentParser) -> None:
    """The argument that changes single keys of the config."""
    parser.add_argument(
        "--config",
        action="append",
        type=_pair,
        default=[],
        metavar="KEY=VALUE",
        help="a key of the config, as data_root=DIR; may be given several times",
    )


def add_of_results(parser: argparse.ArgumentParser) -> None:
    """The arguments by which the world of given results is named."""
    parser.add_argument(
        "--world",
        nargs="+",
        default=[],
        metavar="WORLD",
        help="the world of the results, as penumbra run takes it; by default the folder that holds "
        "them, where that is a world, else the embedded one",
    )
    add_config(parser)


def of_results(
    arguments: argparse.Namespace, folder: Path, name: str, given: Path
) -> tuple[Choice, dict[str, Any]]:
    """The world `name` whose results lie in `folder`, and its config; `given` is what was named.

    Raises:
        PenumbraError: the config files are those of another world.
    """
    named = arguments.world
    if not named and (folder / FILE).is_file():
        named = [str(folder)]
    choice = choose(named, arguments.config)._replace(folder=folder)
    _, config = choice.config()
    if config["world"] != name:
        raise PenumbraError(
            f"{given}: is of the world {name}, and the config is that of the world "
            f"{config['world']}; name the config files of {name} with --world"
        )
    return choice, config


def choose(words: Sequence[str], given: Iterable[str] = ()) -> Choice:
    """The world that all of the words name.

    Raises:
        PenumbraError: one names none.
    """
    choice, rest = split(words, given)
    if rest:
        raise unknown("world", rest[0], shipped(), "command line")
    return choice


def split(words: Sequence[str], given: Iterable[str] = ()) -> tuple[Choice, list[str]]:
    """The world that the first words name, and the words behind those.

    A folder that is a world goes before one that ships and is called alike.

    Raises:
        PenumbraError: a folder or file among the words is no world.
    """
    count = next((i for i, word in enumerate(words) if not _names_world(word)), len(words))
    named, rest = list(map(Path, words[:count])), list(words[count:])
    folders = [path for path in named if (path / FILE).is_file()]
    if folders and len(named) > 1:
        raise PenumbraError(
            f"{folders[0]}: a folder is a whole world; name no other beside it, or its file "
            f"{folders[0] / FILE}"
        )
    if folders:
        return Choice([_absolute(folders[0] / FILE)], folders[0], list(given)), rest
    known = shipped()
    files = [_absolute(known.get(str(path), path)) for path in named if str(path) != EMBEDDED]
    return Choice(files, None, list(given)), rest


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _names_world(word: str) -> bool:
    path = Path(word)
    if word in shipped() or (path / FILE).is_file():
        return True
    if path.is_dir():
        raise PenumbraError(f"{word}: the folder holds no {FILE}, so it is no world")
    if word.endswith("/"):
        raise PenumbraError(f"{word}: there is no such folder; `penumbra init` makes one a world")
    if path.suffix in (".yaml", ".yml") and not path.is_file():
        raise PenumbraError(f"{word}: there is no such file of config")
    return path.suffix in (".yaml", ".yml")
