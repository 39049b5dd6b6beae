"""The command `penumbra`: one module of `penumbra.commands` for each of its commands."""

import argparse
import errno
import importlib.metadata
import io
import sys

from penumbra.errors import PenumbraError, of_computing
from penumbra.plugins import load

# In the order of a first acquaintance.
COMMANDS = (
    *("init", "run", "list", "score", "detector", "outliers", "weights", "arrays", "show"),
    *("explain", "verify", "clean", "schema", "completion"),
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEND = "free some space or write elsewhere, and call again"
EXAMPLES = """
examples:
  penumbra init mine --id DIR --ood sky=DIR  look at images of your own, and write their world
  penumbra run mine                          its table of scores
  penumbra run uat_table01 --cores 2         one table of the embedded world, into results/
  penumbra run cifar --config data_root=DIR  all tables of another world, of your data
  penumbra run cifar --profile slurm         the same on a cluster
  penumbra show results/embedded/tables/uat_table01.parquet
  penumbra explain uat_table01               why it would be computed anew
Documentation of every command: docs/command.md
"""


class _Version(argparse.Action):
    """Looks the version up only where it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"penumbra {importlib.metadata.version('penumbra')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """What the command line is read by; every command's module adds its own arguments."""
    made = argparse.ArgumentParser(
        prog="penumbra",
        description="Out-of-distribution detection: two papers, and your own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    made.set_defaults(parser=made)
    commands = made.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name in COMMANDS:
        module = load("commands", name)
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add(command)
        command.set_defaults(run=module.run)
    return made


def main(argv: list[str] | None = None) -> int:
    """Entry of the command line; gives the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an arrow ends no call where ASCII is wanted
            stream.reconfigure(errors="backslashreplace")
    own, rest = _own(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(own)
    arguments.rest = rest
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for one, has seen enough
        sys.stdout = None  # type: ignore[assignment]
        return 0
    except (PenumbraError, RuntimeError, MemoryError) as error:
        said = error if isinstance(error, PenumbraError) else of_computing(error)
        if said is None:
            raise
        print(f"error: {said}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno in FULL and error.filename is None:  # of a stream that is open
            print(f"error: the output is cut off ({error.strerror}); {MEND}", file=sys.stderr)
            sys.stdout = None  # type: ignore[assignment]  # what is left cannot be written, too
            return 1
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return status


def _own(argv: list[str]) -> tuple[list[str], list[str]]:
    """What is for this command, and what `run` hands on: all behind the first `--`."""
    if argv[:1] != ["run"] or "--" not in argv:
        return argv, []
    return argv[: argv.index("--")], argv[argv.index("--") + 1 :]
