"""Outlier sets in Parquet: one row an outlier, with all that made it."""

import functools
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.image_set import evenly, row_group_sizes
from penumbra.images.originals import threads
from penumbra.outliers.anchors import Anchor
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import column, matrix, numbers, vectors

ENCODER = b"encoder"
NO_ANCHOR = -1  # of outliers that lie around no training image

Given = TypeVar("Given")
Made = TypeVar("Made")


def embedding_table(
    anchors: Sequence[Anchor],
    seeds: Sequence[int],
    embeddings: np.ndarray,
    starts: np.ndarray,
    encoder: str,
) -> pa.Table:
    """Rows of outliers without images: embeddings and the `starts` that they came from (N, R).

    The cosine to the anchor and the norm tell how far guidance pushed (anchors have norm √(R-1)).
    """
    norms = np.linalg.norm(embeddings, axis=1)
    cosine = (embeddings * starts).sum(1) / (norms * np.linalg.norm(starts, axis=1))
    columns = {
        "outlier": column([a.name for a in anchors]),
        "anchor": column(np.array([a.row for a in anchors], np.int64)),
        "label": column(np.array([a.label for a in anchors], np.int64)),
        "scale": column(np.array([a.scale for a in anchors], np.float64)),
        "use": column(np.array([a.use for a in anchors], np.int64)),
        "seed": column(np.array(seeds, np.int64)),
        "cosine": column(cosine.astype(np.float32)),
        "norm": column(norms.astype(np.float32)),
        "embedding": vectors(embeddings),
    }
    return pa.table(columns).replace_schema_metadata({ENCODER: encoder.encode()})


def with_images(embeddings: pa.Table, seeds: Sequence[int], pixels: np.ndarray) -> pa.Table:
    """Embedding rows with their images uint8 (N, 3, H, W) as PNG and the images' own seeds."""
    images = pa.array(threaded(to_png, pixels), pa.binary())
    seeded = embeddings.append_column("image_seed", column(np.array(seeds, np.int64)))
    return seeded.append_column("image", images)


def to_png(pixels: np.ndarray) -> bytes:
    """uint8 (3, H, W) as a PNG file's bytes."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(out, "PNG")
    return out.getvalue()


def from_png(data: bytes, size: int | None = None) -> np.ndarray:
    """PNG bytes as uint8 (3, H, W), resized (bicubic, antialiased) to size × size where given."""
    image: Image.Image = Image.open(io.BytesIO(data))
    return np.asarray(image if size is None else resized(image, size)).transpose(2, 0, 1)


def resized(image: Image.Image, size: int) -> Image.Image:
    """An image at size × size, bicubic and antialiased; as it is where it has that size."""
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BICUBIC)


def decoded(images: Iterable[bytes], size: int | None = None) -> np.ndarray:
    """Images (N, 3, H, W) of the bytes of N ≥ 1 PNG files, decoded in threads; as `from_png`."""
    return np.stack(threaded(functools.partial(from_png, size=size), images))


def pixels_of(shards: Iterable[pa.Table], size: int, kept: set[str] | None = None) -> np.ndarray:
    """Images (N, 3, size, size) of all outliers, or of the kept ones, in the order of the shards.

    Raises:
        PenumbraError: none is kept.
    """
    encoded = []
    for shard in shards:
        names = shard["outlier"].to_pylist()
        rows = [i for i, name in enumerate(names) if kept is None or name in kept]
        encoded += shard["image"].take(pa.array(rows, pa.int64())).to_pylist()
    check_any(len(encoded))
    return decoded(encoded, size)


def threaded(work: Callable[[Given], Made], items: Iterable[Given]) -> list[Made]:
    """What `work` makes of each item, in order; PIL packs and unpacks outside of Python's lock."""
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, items))


def sampled(files: Sequence[Path], columns: list[str], count: int) -> pa.Table:
    """Some columns of `count` outliers spread over a set's shards, of all where it has no more.

    Memory is that of one shard and of the sample.
    """
    sizes = [sum(row_group_sizes(file)) for file in files]
    places, start, parts = evenly(sum(sizes), count), 0, []
    for file, size in zip(files, sizes, strict=True):
        mine = places[(places >= start) & (places < start + size)] - start
        parts.append(read_parquet(file, columns).take(pa.array(mine)))
        start += size
    return pa.concat_tables([part.replace_schema_metadata(None) for part in parts])


def check_any(count: int) -> None:
    """Refuse to train on no outlier.

    Raises:
        PenumbraError: none is kept.
    """
    if not count:
        raise PenumbraError("no outlier is kept; look at the selection's histogram and its filter")


def kept_names(selection: pa.Table) -> set[str]:
    """Names of the outliers that a selection keeps."""
    rows = zip(selection["outlier"].to_pylist(), selection["kept"].to_pylist(), strict=True)
    return {name for name, kept in rows if kept}


def encoder_of(table: pa.Table) -> str:
    """The fingerprint of the encoder whose representations a table holds."""
    return table.schema.metadata[ENCODER].decode()


def embeddings_of(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, R) and the outliers' seeds (N,)."""
    return matrix(table["embedding"]), numbers(table["seed"])
