"""The command `penumbra`: one module of `penumbra.commands` for each of its commands."""

import argparse
import sys

from penumbra.errors import PenumbraError
from penumbra.plugins import load

COMMANDS = ("init", "show", "verify", "schema")


def parser() -> argparse.ArgumentParser:
    """What the command line is read by; every command's module adds its own arguments."""
    made = argparse.ArgumentParser(
        prog="penumbra", description="Out-of-distribution detection: two papers, and your own."
    )
    commands = made.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name in COMMANDS:
        module = load("commands", name)
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add(command)
        command.set_defaults(run=module.run)
    return made


def main(argv: list[str] | None = None) -> int:
    """Entry of the command line; gives the exit status."""
    arguments = parser().parse_args(argv)
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for one, has seen enough
        sys.stdout = None  # type: ignore[assignment]
        return 0
    except PenumbraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return status
