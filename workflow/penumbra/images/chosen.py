"""The images of a set, as its config names them: chosen, checked, decoded or listed, digested."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from penumbra.images.entries import LISTED, Entries
from penumbra.images.image_set import GROUP, decoded, pixel_chunks, to_table
from penumbra.images.originals import is_listed, to_tables
from penumbra.images.square import DEFAULT
from penumbra.images.subset import select
from penumbra.plugins import load
from penumbra.store.columns import numbers


def chosen(config: dict[str, Any], root: Path | None) -> Entries:
    """The entries of an image set; `config` is that of its rule, `root` holds the data sets.

    Raises:
        PenumbraError: files are missing or not what the catalogue says; names them.
    """
    reader = load("images.readers", config["dataset"]["reader"])
    entries = select(reader.entries(config, root), config)
    entries.check(config["name"])
    return entries


def tables(
    config: dict[str, Any], entries: Entries, threads: int, digest: "Digest"
) -> Iterator[pa.Table]:
    """The rows of an image set, in row groups of GROUP decoded bytes, each counted in.

    Raises:
        PenumbraError: an image can't be read, or is of no file where the set is to be listed.
    """
    if config.get("stored") == LISTED:
        size, way = config["size"], config["dataset"].get("square", DEFAULT)
        each = max(1, GROUP // (3 * size * size))
        made = to_tables(entries, config["name"], way, size, each, threads)
    else:
        made = map(to_table, decoded(entries, threads))
    for table in made:
        digest.add(table)
        yield table


class Digest:
    """SHA-256 of the images, labels and origins of all tables that are added.

    Of images their decoded pixels count, or, where they are listed, the digests of their bytes.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, table: pa.Table) -> None:
        """Count a table's rows in."""
        labels, classes = numbers(table["label"]), json.loads(table.schema.metadata[b"classes"])
        if is_listed(table.schema):
            self._digest.update(b"".join(table["digest"].to_pylist()))
        else:
            for chunk in pixel_chunks(table):
                self._digest.update(chunk.data)
        self._digest.update(labels.data)
        self._digest.update("\n".join([*classes, *table["origin"].to_pylist()]).encode())

    def hex(self) -> str:
        """The digest of what was added."""
        return self._digest.hexdigest()
