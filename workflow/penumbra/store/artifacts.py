"""Parquet files and checkpoints that carry what made them.

The provenance under the key `penumbra` holds all that decides the bytes (rule, wildcards, config,
seed, code, inputs, packages), and the seal that shows whether the file is still as it was written.
What differs from run to run lies in `<artifact>.run.json`.
"""

import errno
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file as save_arrays

from penumbra.errors import PenumbraError
from penumbra.store import seals
from penumbra.store.columns import groups
from penumbra.store.files import atomic

KEY = "penumbra"
COMMIT = "PENUMBRA_COMMIT"  # in the environment: of the checkout that a call was made in
DATA = "data"  # in the provenance of image sets: a digest of the images as they were decoded
ARTIFACT = "artifact"  # in the provenance: where the file was written


def dumps(value: object) -> str:
    """JSON with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def write_parquet(
    path: str | Path, tables: pa.Table | Iterable[pa.Table], provenance: Mapping
) -> None:
    """Write one table, or several of one schema as row groups in order, with provenance.

    No table at all gives a file without rows and columns.
    """
    tables = iter([tables] if isinstance(tables, pa.Table) else tables)
    first = next(tables, None)
    schema = pa.schema([]) if first is None else first.schema
    with atomic(path) as temporary:
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", write_statistics=False
        ) as writer:
            for table in chain([] if first is None else [first], tables):
                writer.write_table(table.replace_schema_metadata(schema.metadata))
            # Not in the schema, of which the file keeps a second copy, encoded.
            writer.add_key_value_metadata({KEY: _sealed(path, provenance)})
        seals.seal(temporary, seals.PARQUET)


def _sealed(path: str | Path, provenance: Mapping) -> str:
    where = place(path)
    placed = {} if where is None else {ARTIFACT: where}
    return dumps({**provenance, **placed, "seal": seals.BLANK})


def place(path: str | Path) -> str | None:
    """Where an artifact lies: results/<world>/…, however the path begins; None elsewhere."""
    folders = os.path.abspath(path).split(os.sep)
    if "results" not in folders[:-1]:
        return None
    return "/".join(folders[len(folders) - 1 - folders[::-1].index("results") :])


def run_record(path: str | Path) -> Path:
    """Where the record of the run that made an artifact lies: beside it."""
    return Path(f"{path}{seals.RECORD}")


def read_record(path: str | Path) -> dict[str, Any]:
    """What the record of the run that made an artifact says; nothing where there is none."""
    record = run_record(path)
    return json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet artifact; a file that is not one is named in the error.

    Raises:
        PenumbraError: the file is corrupt or lacks provenance.
    """
    with _parquet(path) as file:
        return file.read(columns=columns)


def row_groups(path: str | Path) -> Iterator[pa.Table]:
    """The tables that an artifact was written of, one at a time, without its provenance.

    Raises:
        PenumbraError: the file is corrupt or lacks provenance.
    """
    with _parquet(path) as file:
        for i in range(file.num_row_groups):
            table = file.read_row_group(i)
            meta = {k: v for k, v in (table.schema.metadata or {}).items() if k != KEY.encode()}
            yield table.replace_schema_metadata(meta or None)


def stream_parquet(
    path: str | Path, columns: list[str], key: str, wanted: Collection[str]
) -> Iterator[pa.Table]:
    """The rows of an artifact whose text in the column `key` is wanted, a row group at a time.

    Row groups without such rows are not read, so memory is that of one image set.

    Raises:
        PenumbraError: the file is corrupt or lacks provenance.
    """
    with _parquet(path) as file:
        for i in range(file.num_row_groups):
            texts = file.read_row_group(i, columns=[key])[key].to_pylist()
            if not set(texts).isdisjoint(wanted):
                whole = file.read_row_group(i, columns=[*dict.fromkeys([key, *columns])])
                yield from (rows for text, rows in groups(whole, key) if text in wanted)


@contextmanager
def _parquet(path: str | Path) -> Iterator[pq.ParquetFile]:
    """An open artifact; what goes wrong in reading it becomes an error that names it."""
    try:
        # ParquetFile, as read_table() would import pyarrow's data set layer first. Not mapped: of
        # a file that is streamed every page would stay counted as memory of this process.
        with pq.ParquetFile(path) as file:
            if KEY.encode() not in (file.metadata.metadata or {}):
                raise PenumbraError(
                    f"{path}: carries no provenance, so this project did not write it"
                )
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise PenumbraError(
            f"{path}: not a readable Parquet artifact ({error}); {seals.remake(path)}"
        ) from error


def write_checkpoint(path: str | Path, tensors: Mapping, provenance: Mapping) -> None:
    """Write tensors by name as safetensors with provenance; equal tensors give equal bytes."""
    from safetensors.torch import save_file  # imports torch, which array stages do without

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with _written(path) as temporary:
        save_file(whole, temporary, metadata={KEY: _sealed(path, provenance)})


def read_checkpoint(path: str | Path, prefix: str = "") -> dict[str, Any]:
    """Tensors by name: those whose name begins with `prefix`, without it.

    Raises:
        PenumbraError: the file is truncated or not a safetensors file.
    """
    from safetensors.torch import load_file

    with _safetensors(path):
        tensors = load_file(path).items()
    return {name.removeprefix(prefix): t for name, t in tensors if name.startswith(prefix)}


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], provenance: Mapping) -> None:
    """As `write_checkpoint`, of numpy arrays and without torch."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with _written(path) as temporary:
        save_arrays(whole, temporary, metadata={KEY: _sealed(path, provenance)})


@contextmanager
def _written(path: str | Path) -> Iterator[Path]:
    """A place for a checkpoint, sealed when it is written."""
    with atomic(path) as temporary:
        try:
            yield temporary
        except SafetensorError as error:  # it wraps what the system says
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error
        seals.seal(temporary, seals.CHECKPOINT)
        mask = os.umask(0)  # the only way to read it
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # safetensors lets the owner alone read its files


def read_arrays(
    path: str | Path, names: Collection[str] | None = None, prefix: str = ""
) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, or those among `names` that it has, without torch.

    Of these, those whose name begins with `prefix`, without it.

    Raises:
        PenumbraError: the file is truncated or not a safetensors file.
    """
    with _safetensors(path), safe_open(path, framework="np") as file:
        there = [name for name in [*file.keys()] if names is None or name in names]
        chosen = [name for name in there if name.startswith(prefix)]
        return {name.removeprefix(prefix): file.get_tensor(name) for name in chosen}


@contextmanager
def _safetensors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except SafetensorError as error:
        raise PenumbraError(
            f"{path}: not a readable checkpoint ({error}); {seals.remake(path)}"
        ) from error


def provenance_of(path: str | Path) -> dict[str, Any]:
    """The provenance inside a Parquet artifact or checkpoint.

    Raises:
        PenumbraError: the file is of another kind, unreadable, or carries none.
    """
    path = Path(path)
    if path.suffix == seals.PARQUET:
        try:
            meta = pq.read_metadata(path).metadata or {}
        except (pa.ArrowInvalid, OSError) as error:
            raise PenumbraError(f"{path}: not a readable Parquet artifact ({error})") from error
        text = meta.get(KEY.encode())
    elif path.suffix == seals.CHECKPOINT:
        text = _header(path).get("__metadata__", {}).get(KEY)
    else:
        raise PenumbraError(f"{path}: provenance lies in .parquet and .safetensors files")
    if text is None:
        raise PenumbraError(f"{path}: carries no provenance, so this project did not write it")
    provenance = json.loads(text)
    provenance.pop("seal", None)
    return provenance


def _header(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(size))
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise PenumbraError(f"{path}: not a readable checkpoint ({error})") from error
