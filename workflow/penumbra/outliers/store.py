"""Outlier sets in Parquet: one row an outlier, with all that made it."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.outliers.anchors import Anchor
from penumbra.store.columns import column, matrix, numbers, vectors

ENCODER = b"encoder"
NO_ANCHOR = -1  # of outliers that lie around no training image


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
    images = pa.array([to_png(image) for image in pixels], pa.binary())
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


def pixels_of(shards: Iterable[pa.Table], size: int, kept: set[str] | None = None) -> np.ndarray:
    """Images (N, 3, size, size) of all outliers, or of the kept ones, in the order of the shards.

    Raises:
        PenumbraError: none is kept.
    """
    pixels = []
    for shard in shards:
        for name, data in zip(
            shard["outlier"].to_pylist(), shard["image"].to_pylist(), strict=True
        ):
            if kept is None or name in kept:
                pixels.append(from_png(data, size))
    check_any(len(pixels))
    return np.stack(pixels)


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
