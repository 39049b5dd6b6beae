"""Arrow columns from numpy arrays and back, over their buffers.

pa.array(), to_numpy() and filter() would import pandas and pyarrow's compute layer first, half a
second in each of a world's hundreds of array jobs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def column(values: np.ndarray | Sequence) -> pa.Array:
    """(N,) numbers, booleans or texts as a column without nulls."""
    if len(values) and isinstance(values[0], str):
        encoded = [text.encode() for text in values]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        data = pa.py_buffer(b"".join(encoded))
        return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), data)
    array = np.ascontiguousarray(values)
    if array.dtype == bool:
        bits = pa.py_buffer(np.packbits(array, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(array), [None, bits])
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(array)]
    )


def numbers(chunked: pa.ChunkedArray) -> np.ndarray:
    """A numeric column without nulls as (N,), copied."""
    kind = np.dtype(chunked.type.to_pandas_dtype())
    chunks = [
        np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)
        for chunk in chunked.chunks
        if len(chunk)
    ]
    return np.concatenate(chunks) if chunks else np.empty(0, kind)


def vectors(array: np.ndarray) -> pa.Array:
    """(N, D) floats as a column of fixed-size float32 lists."""
    flat = column(np.ascontiguousarray(array, dtype=np.float32).ravel())
    # Parquet's own name of a list's member, so that a copied column is the same to the last byte.
    kind = pa.list_(pa.field("element", flat.type), array.shape[1])
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def matrix(chunked: pa.ChunkedArray) -> np.ndarray:
    """The inverse of `vectors`: (N, D) float32."""
    flat = pa.chunked_array([chunk.flatten() for chunk in chunked.chunks], chunked.type.value_type)
    return numbers(flat).reshape(-1, chunked.type.list_size)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of equal keys as a table; at least one row."""
    return pa.table({key: column([row[key] for row in rows]) for key in rows[0]})


def groups(whole: pa.Table, key: str) -> Iterator[tuple[str, pa.Table]]:
    """Split rows into runs of equal text in the column `key`; each text makes one run."""
    names = whole[key].to_pylist()
    starts = [i for i, name in enumerate(names) if not i or name != names[i - 1]]
    for start, stop in zip(starts, [*starts[1:], len(names)], strict=True):
        yield names[start], whole.slice(start, stop - start)
