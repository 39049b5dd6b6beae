"""What a Parquet file or checkpoint is, and what made it."""

import argparse
from pathlib import Path

from penumbra.commands.shared import output
from penumbra.errors import PenumbraError

HELP = "what a Parquet file or checkpoint is, and what made it"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path, help="a .parquet or .safetensors file of results")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--all", action="store_true", help="config, all inputs and all modules of the code, too"
    )
    how.add_argument(
        "--reported", action="store_true", help="a table beside the numbers that its paper prints"
    )
    how.add_argument(
        "--cell",
        nargs=2,
        metavar=("ROW", "COLUMN"),
        help="one cell of a table and the files behind it; labels, or numbers from 1",
    )
    parser.add_argument(
        "--less",
        nargs=2,
        metavar=("ROW", "COLUMN"),
        help="with --cell: the difference to another cell, and how sure it is",
    )
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="FILE",
        help="with --cell: draw the scores behind it, ID and OOD, into a .png",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from penumbra.reporting.provenance import show  # slow to import
    from penumbra.reporting.tables.differences import difference
    from penumbra.reporting.tables.stored import as_markdown, one_cell

    if arguments.file.is_dir():
        raise PenumbraError(f"{arguments.file}: is a folder; name one of the files in it")
    if not arguments.file.exists():
        raise PenumbraError(f"{arguments.file}: there is no such file; name one that is there")
    for option in ("less", "draw"):
        if getattr(arguments, option) and not arguments.cell:
            raise PenumbraError(f"--{option}: of which cell? Give --cell ROW COLUMN, too")
    if arguments.less and arguments.draw:
        raise PenumbraError("--draw is of one cell; leave --less out")
    if arguments.draw:
        _draw(arguments)
    elif arguments.less:
        print(difference(arguments.file, arguments.cell, arguments.less))
    elif arguments.cell:
        print(one_cell(arguments.file, *arguments.cell))
    elif arguments.reported:
        print(as_markdown(arguments.file, beside=True))
    else:
        print(show(arguments.file, arguments.all))
    return 0


def _draw(arguments: argparse.Namespace) -> None:
    """Write the picture and say where."""
    from penumbra.reporting.cell_scores import draw  # slow to import
    from penumbra.reporting.drawing import save_png

    output.check(arguments.draw, [".png"], [arguments.file])
    save_png(draw(arguments.file, *arguments.cell), arguments.draw)
    print(f"drawn in {arguments.draw}")
