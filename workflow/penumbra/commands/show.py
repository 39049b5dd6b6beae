"""What a Parquet file or checkpoint is, and what made it."""

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from penumbra.reporting.tables.stored import as_markdown, is_table, one_cell
from penumbra.store.artifacts import provenance_of

HELP = "what a Parquet file or checkpoint is, and what made it"
FEW = 8  # inputs that the short form lists


def show(file: Path, everything: bool = True) -> str:
    """Provenance of a Parquet file or checkpoint as text for a person; of a table also its rows.

    Without `everything` the code's modules are left out, and where there are many inputs these; of
    a table the config, too, which names every cell's files.
    """
    provenance = provenance_of(file)
    table = is_table(file)
    wildcards = ", ".join(f"{key} {value}" for key, value in provenance["wildcards"].items())
    lines = [as_markdown(file)] if table else []
    lines += [f"{file}", f"made by    rule {provenance['rule']}: {wildcards}"]
    lines += [f"seed       {provenance['seed']}"] if "seed" in provenance else []
    lines += [f"content    {_content(file)}"]
    lines += [line for key, told in _told(file) for line in (key, *_indented(told))]
    if everything or not table:
        lines += ["config", *_indented(provenance["config"])]
    else:
        lines += [f"seeds      {', '.join(map(str, provenance['config']['seeds']))}"]
    lines += _inputs(provenance["inputs"], everything)
    code = provenance["code"]
    lines += [f"code       {code['digest']}"]
    if everything:
        lines += [f"  {digest[:16]}  {module}" for module, digest in code["modules"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in code["packages"].items())
    lines += [f"packages   Python {provenance['python']}{versions and ', ' + versions}"]
    lines += _run(file)
    if not everything:
        lines += ["all else   --all" + (", or --cell ROW COLUMN for one cell" if table else "")]
    return "\n".join(lines)


def _inputs(inputs: dict[str, str], everything: bool) -> list[str]:
    if not everything and len(inputs) > FEW:
        return [f"inputs     {len(inputs)} files"]
    return ["inputs (seals)", *(f"  {digest[:16]}  {path}" for path, digest in inputs.items())]


def _run(file: Path) -> list[str]:
    """What the run record beside an artifact says; the commit of the code in a line of its own."""
    run = file.with_name(file.name + ".run.json")
    if not run.is_file():
        return []
    record = json.loads(run.read_text(encoding="utf-8"))
    commit = [f"commit     {record.pop('commit')}"] if "commit" in record else []
    return [*commit, "this run   " + ", ".join(f"{key} {value}" for key, value in record.items())]


def _content(file: Path) -> str:
    if file.suffix == ".parquet":
        schema = pq.read_schema(file)
        return f"{pq.read_metadata(file).num_rows} rows: {', '.join(schema.names)}"
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as tensors:
        return f"{len(list(tensors.keys()))} tensors"


def _told(file: Path) -> list[tuple[str, Any]]:
    """What a stage tells of its result beside the rows, e.g. a calibration's quality."""
    if file.suffix != ".parquet":
        return []
    meta = pq.read_schema(file).metadata or {}
    names = ("note", "calibration", "histogram")
    return [(name, json.loads(meta[name.encode()])) for name in names if name.encode() in meta]


def _indented(value: Any) -> list[str]:
    return ["  " + line for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines()]


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path)
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


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    if arguments.cell:
        print(one_cell(arguments.file, *arguments.cell))
    elif arguments.reported:
        print(as_markdown(arguments.file, beside=True))
    else:
        print(show(arguments.file, arguments.all))
    return 0
