"""Whether any Parquet file or checkpoint of a folder is damaged, and what remakes it."""

import argparse
from pathlib import Path

HELP = "whether an artifact of a folder is damaged"


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path("results"),
        help="all artifacts below it are read (results)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="DIR",
        help="decode every image set anew from the data sets in DIR, and compare",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what is damaged."""
    from penumbra.audit.verification import verify  # slow to import

    print(verify(arguments.folder, arguments.data is not None, arguments.data))
    return 0
