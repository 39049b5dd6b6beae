"""What an artifact tells of a job that did not do just what its name says."""

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

NOTE = "note"


def noted(note: str | None) -> Mapping[str, str]:
    """Schema metadata that holds a note; none without one."""
    return {} if note is None else {NOTE: json.dumps(note)}


def read_note(file: str | Path) -> str | None:
    """The note of a Parquet artifact."""
    meta = pq.read_schema(file).metadata or {}
    return json.loads(meta[NOTE.encode()]) if NOTE.encode() in meta else None
