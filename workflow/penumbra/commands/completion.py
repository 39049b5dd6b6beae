"""Completion of this command for a shell: eval "$(penumbra completion bash)"."""

import argparse
from pathlib import Path

HELP = "completion of this command for a shell"
SHELLS = ("bash", "zsh", "tcsh")


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    import shtab

    _complete_files(arguments.parser, shtab.FILE)
    print(shtab.complete(arguments.parser, arguments.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, how: dict) -> None:
    """Let arguments that are files, or may be, be completed as such."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, how)
        elif action.type is Path or action.dest in ("words", "world"):
            action.complete = how  # type: ignore[attr-defined]
