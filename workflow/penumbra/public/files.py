"""Arrays by name in the files that people keep them in: .npz, Parquet, safetensors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from penumbra.errors import PenumbraError
from penumbra.public.images import ALIASES, HEAD, KEYS, Arrays
from penumbra.store.artifacts import KEY


def read_images(path: Path) -> Arrays:
    """Logits, features and labels, those that a file holds; it has logits or features.

    Raises:
        PenumbraError: it is not there, not readable, pickled, or holds neither.
    """
    arrays = _read(path, (*KEYS, *ALIASES))
    if not {"logits", "features"} & {*arrays}:
        raise PenumbraError(f"{path}: holds neither logits nor features; it holds {_listed(path)}")
    return arrays


def read_head(path: Path) -> Arrays:
    """Weight and bias of a last layer.

    Raises:
        PenumbraError: as `read_images`, or it holds no weight.
    """
    arrays = _read(path, HEAD)
    if "weight" not in arrays:
        raise PenumbraError(f"{path}: holds no weight; it holds {_listed(path)}")
    return arrays


def _read(path: Path, wanted: tuple[str, ...]) -> Arrays:
    """Those of the wanted arrays that are there."""
    return _of(path)[1](path, wanted)


def _listed(path: Path) -> str:
    return ", ".join(_of(path)[0](path)) or "nothing"


def _of(path: Path) -> tuple[Callable[[Path], list[str]], Callable[..., Arrays]]:
    """What lists and reads a file of this kind."""
    kinds = {
        ".npz": (_npz_names, _npz),
        ".parquet": (_parquet_names, _parquet),
        ".safetensors": (_safetensors_names, _safetensors),
    }
    if path.suffix not in kinds:
        raise PenumbraError(f"{path}: arrays are read from {', '.join(kinds)} files")
    if not path.is_file():
        raise PenumbraError(f"{path}: there is no such file")
    return kinds[path.suffix]


def _npz_names(path: Path) -> list[str]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return list(file.files)
    except Exception as error:  # numpy and zlib raise anything where bytes are damaged
        raise PenumbraError(f"{path}: not a readable .npz file ({error})") from error


def _npz(path: Path, wanted: tuple[str, ...]) -> Arrays:
    there = [name for name in _npz_names(path) if name in wanted]
    arrays: Arrays = {}
    with np.load(path, allow_pickle=False) as file:
        for name in there:
            try:
                arrays[name] = file[name]
            except Exception as error:
                raise PenumbraError(
                    f"{path}: {name} cannot be read ({error}); pickled objects are refused, as "
                    "they may run code: save numbers of one shape"
                ) from error
    return arrays


def _safetensors_names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="np") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise PenumbraError(f"{path}: not a readable safetensors file ({error})") from error


def _safetensors(path: Path, wanted: tuple[str, ...]) -> Arrays:
    there = [name for name in _safetensors_names(path) if name in wanted]
    arrays: Arrays = {}
    with safe_open(path, framework="np") as file:
        for name in there:
            try:
                arrays[name] = file.get_tensor(name)
            except (SafetensorError, TypeError, AttributeError) as error:  # bfloat16, for one
                raise PenumbraError(
                    f"{path}: {name} is of a dtype that numpy does not know ({error}); save it as "
                    "float32"
                ) from error
    return arrays


def _parquet_names(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise PenumbraError(f"{path}: not a readable Parquet file ({error})") from error


def _parquet(path: Path, wanted: tuple[str, ...]) -> Arrays:
    names = _parquet_names(path)
    twice = sorted({name for name in names if name in wanted and names.count(name) > 1})
    if twice:
        raise PenumbraError(f"{path}: several columns are called {', '.join(twice)}; leave one")
    try:
        with pq.ParquetFile(path) as file:
            _check_one_set(path, file)
            table = file.read(columns=[name for name in names if name in wanted])
    except (pa.ArrowInvalid, OSError) as error:
        raise PenumbraError(f"{path}: not a readable Parquet file ({error})") from error
    return {name: _column(table[name], f"{path}: column {name}") for name in table.column_names}


def _check_one_set(path: Path, file: pq.ParquetFile) -> None:
    """The workflow's own outputs hold training, test and OOD images together."""
    if KEY.encode() in (file.metadata.metadata or {}) and "image_set" in file.schema_arrow.names:
        sets = dict.fromkeys(file.read(columns=["image_set"])["image_set"].to_pylist())
        if len(sets) > 1:
            raise PenumbraError(
                f"{path}: holds {len(sets)} image sets ({', '.join(sets)}); write each to a file "
                "of its own"
            )


def _column(chunked: pa.ChunkedArray, what: str) -> np.ndarray:
    """A column of numbers as (N,), of lists of one length as (N, D)."""
    column = chunked.combine_chunks()
    if chunked.null_count:
        raise PenumbraError(f"{what}: {chunked.null_count} of {len(chunked)} values are null")
    kind = chunked.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed(kind)):
        return column.to_numpy(zero_copy_only=False)
    flat = column.flatten()
    if flat.null_count:
        raise PenumbraError(f"{what}: {flat.null_count} of {len(flat)} entries of lists are null")
    values = flat.to_numpy(zero_copy_only=False)
    lengths = (
        {kind.list_size} if _is_fixed(kind) else {*np.diff(column.offsets.to_numpy()).tolist()}
    )
    if len(lengths) > 1:
        told = f"{min(lengths)} to {max(lengths)}"
        raise PenumbraError(f"{what}: lists of {told} entries; all images have as many")
    return values.reshape(len(column), *lengths) if lengths else values.reshape(0, 0)


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))
