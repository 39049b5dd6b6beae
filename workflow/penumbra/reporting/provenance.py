"""What a Parquet file or checkpoint is, and what made it, as text for a person."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors import safe_open

from penumbra.reporting.tables.stored import as_markdown, is_table
from penumbra.store.artifacts import provenance_of, read_record
from penumbra.store.seals import PARQUET

FEW = 8  # inputs that the short form lists


def show(file: Path, everything: bool = True) -> str:
    """Provenance of a Parquet file or checkpoint; of a table also its rows.

    Without `everything` the code's modules are left out, and where there are many inputs these; of
    a table the config, too, which names every cell's files.

    Raises:
        PenumbraError: the file is of another kind, unreadable, or carries none.
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
    record = read_record(file)
    if not record:
        return []
    commit = [f"commit     {record.pop('commit')}"] if "commit" in record else []
    return [*commit, "this run   " + ", ".join(f"{key} {value}" for key, value in record.items())]


def _content(file: Path) -> str:
    if file.suffix == PARQUET:
        schema = pq.read_schema(file)
        return f"{pq.read_metadata(file).num_rows} rows: {', '.join(schema.names)}"
    with safe_open(file, framework="numpy") as tensors:
        return f"{len(list(tensors.keys()))} tensors"


def _told(file: Path) -> list[tuple[str, Any]]:
    """What a stage tells of its result beside the rows, e.g. a calibration's quality."""
    if file.suffix != PARQUET:
        return []
    meta = pq.read_schema(file).metadata or {}
    names = ("note", "calibration", "histogram")
    return [(name, json.loads(meta[name.encode()])) for name in names if name.encode() in meta]


def _indented(value: Any) -> list[str]:
    return ["  " + line for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines()]
