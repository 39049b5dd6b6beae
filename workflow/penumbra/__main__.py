"""`python -m penumbra show FILE`: what a file holds and what made it; `verify`: all are whole."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from penumbra.audit import origins
from penumbra.audit.artifacts import provenance_of
from penumbra.errors import PenumbraError
from penumbra.reporting.render import arrange, to_markdown


def show(file: Path) -> str:
    """Provenance of a Parquet file or checkpoint as text for a person."""
    found = provenance_of(file)
    wildcards = ", ".join(f"{key} {value}" for key, value in found["wildcards"].items())
    lines = [f"{file}", f"made by    rule {found['rule']}: {wildcards}"]
    lines += [f"seed       {found['seed']}"] if "seed" in found else []
    lines += [f"content    {_content(file)}"]
    lines += [line for key, told in _told(file) for line in (key, *_indented(told))]
    lines += [
        "config",
        *_indented(found["config"]),
        "inputs (seals)",
    ]
    lines += [f"  {digest[:16]}  {path}" for path, digest in found["inputs"].items()]
    code = found["code"]
    lines += [f"code {code['digest']}"]
    lines += [f"  {digest[:16]}  {module}" for module, digest in code["modules"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in code["packages"].items())
    lines += [f"packages   Python {found['python']}, {versions}"]
    run = file.with_name(file.name + ".run.json")
    if run.is_file():
        record = json.loads(run.read_text(encoding="utf-8"))
        lines += ["this run   " + ", ".join(f"{key} {value}" for key, value in record.items())]
    return "\n".join(lines)


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


def show_table(file: Path) -> str:
    """A table's Markdown with the papers' printed numbers in brackets."""
    table = pq.read_table(file)
    meta = table.schema.metadata
    if b"title" not in meta:
        raise PenumbraError(
            f"{file}: is no table; --reported shows results/<world>/tables/*.parquet"
        )
    notes = json.loads(meta[b"notes"])
    return to_markdown(arrange(meta[b"title"].decode(), notes, table.to_pylist()), beside=True)


def main(argv: list[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(prog="python -m penumbra", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    command = commands.add_parser(
        "show", help="what a Parquet file or checkpoint is, and what made it"
    )
    command.add_argument("file", type=Path)
    command.add_argument(
        "--reported", action="store_true", help="a table beside the numbers that its paper prints"
    )
    command = commands.add_parser("verify", help="whether an artifact of a folder is damaged")
    command.add_argument("folder", type=Path, nargs="?", default=Path("results"))
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "verify":
            text = origins.verify(arguments.folder)
        else:
            text = show_table(arguments.file) if arguments.reported else show(arguments.file)
        print(text, flush=True)
    except BrokenPipeError:  # the reader, head for one, has seen enough
        sys.stdout = None  # type: ignore[assignment]
    except PenumbraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
