"""Outliers that were made elsewhere: any images, with what their files say of them."""

import functools
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL, WHOLE
from penumbra.images.image_set import classes_of, pixels_at
from penumbra.images.originals import Originals, data_root, is_listed
from penumbra.outliers.anchors import shard
from penumbra.outliers.asked import Asked
from penumbra.outliers.grey import to_grey
from penumbra.outliers.store import NO_ANCHOR, threaded, to_png
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import column, numbers, vectors

EMBEDDING = "embedding"


def outliers(asked: Asked) -> pa.Table:
    """The images of the shard: as PNG, the very bytes where they are one already and listed.

    Raises:
        PenumbraError: two have one name, an image is not as it was listed, or some of the files
            have embeddings and others have not.
    """
    path = asked.given
    assert path is not None
    listed = is_listed(pq.read_schema(path))
    table = read_parquet(path, None if listed else ["label", "origin"])
    names = table["origin"].to_pylist()
    _check_names(names, path)
    rows = shard(range(len(names)), asked.shard)
    known = {name: label for label, name in enumerate(asked.classes)}
    labels = [known.get(name, NO_LABEL) for name in classes_of(path)]
    of_rows = numbers(table["label"])[rows]
    columns = {
        "outlier": column([names[i] for i in rows]),
        "anchor": column(np.full(len(rows), NO_ANCHOR, np.int64)),
        "label": column(np.array([labels[i] if i >= 0 else NO_LABEL for i in of_rows], np.int64)),
    }
    embeddings = _embeddings(table, rows) if listed else None
    if embeddings is not None:
        columns[EMBEDDING] = vectors(embeddings)
    images = _encoded(Originals(table), rows, asked.grey) if listed else _stored(asked, path, rows)
    return pa.table(columns).append_column("image", pa.array(images, pa.binary()))


def _check_names(names: Sequence[str], path: Path) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise PenumbraError(
            f"{path}: two of its images are called {twice}; filters choose outliers by name, so "
            "give each its own"
        )


def _stored(asked: Asked, path: Path, rows: Sequence[int]) -> list[bytes]:
    """Of a set that is decoded."""
    pixels = pixels_at(path, rows)
    return threaded(to_png, to_grey(pixels) if asked.grey else pixels)


def _encoded(originals: Originals, rows: Sequence[int], grey: bool) -> list[bytes]:
    """Of a listed set, as large as they are; those that are not square as the set has them."""
    return threaded(functools.partial(_png, originals, grey), rows)


def _png(originals: Originals, grey: bool, i: int) -> bytes:
    data = originals.encoded(i)
    image = originals.decoded(i, data)
    if image.width != image.height:
        image = originals.square(image)
    elif not grey and _is_plain(data):
        return data
    pixels = np.asarray(image).transpose(2, 0, 1)
    return to_png(to_grey(pixels[None])[0] if grey else pixels)


def _is_plain(data: bytes) -> bool:
    """Whether an encoded image is a PNG in RGB."""
    image = Image.open(io.BytesIO(data))
    return image.format == "PNG" and image.mode == "RGB"


def _embeddings(table: pa.Table, rows: Sequence[int]) -> np.ndarray | None:
    """The column `embedding` (n, R) of the files that the rows lie in; None where no file has it.

    All files of the set are asked, so that all of its shards have the column, or none.
    """
    files, groups, places = (table[name].to_pylist() for name in ("file", "group", "row"))
    root, read, made = data_root() or Path(), ("", WHOLE), list[np.ndarray]()
    whole = {file: group == WHOLE for file, group in zip(files, groups, strict=True)}
    without = sorted(f for f, is_image in whole.items() if is_image or not _has_column(root / f))
    if len(without) == len(whole):
        return None
    if without:
        raise PenumbraError(
            f"{without[0]}: it has no column `{EMBEDDING}`, and other files of the set have one; "
            "give it to all, or to none"
        )
    for i in rows:
        if read != (read := (files[i], groups[i])):
            held = _column(root / files[i], groups[i])
        made.append(held[places[i]])
        if len(made[-1]) != len(made[0]):
            raise PenumbraError(
                f"{files[i]}: its column `{EMBEDDING}` has {len(made[-1])} numbers a row, and that "
                f"of {files[rows[0]]} {len(made[0])}; give both as many"
            )
    return np.stack(made)


def _has_column(file: Path) -> bool:
    return EMBEDDING in pq.read_schema(file).names


def _column(file: Path, group: int) -> np.ndarray:
    """The embeddings (n, R) of one row group."""
    kind = pq.read_schema(file).field(EMBEDDING).type
    where = f"{file}: its column `{EMBEDDING}`"
    lists_of = getattr(kind, "value_type", None)
    if lists_of is None or not (pa.types.is_floating(lists_of) or pa.types.is_integer(lists_of)):
        raise PenumbraError(f"{where} is of {kind}; make it lists of numbers, or call it otherwise")
    with pq.ParquetFile(file) as opened:
        lists = opened.read_row_group(group, columns=[EMBEDDING])[EMBEDDING].to_pylist()
    widths = {len(each or ()) for each in lists}
    if len(widths) != 1 or 0 in widths:
        raise PenumbraError(
            f"{where} has lists of {' and '.join(map(str, sorted(widths)[:2]))} numbers "
            f"({len(widths)} lengths); give every row as many, and at least one"
        )
    with np.errstate(over="ignore"):
        rows = np.array(lists, np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(1))
    if len(bad):
        raise PenumbraError(
            f"{where} has no finite number of single precision in row {bad[0]} of group {group}; "
            "mend the row, or take it out"
        )
    return rows
