"""Outlier sets in Parquet: what goes in comes out, and the kept ones in the order of the set."""

import errno

import numpy as np
import pyarrow as pa
import pytest

from penumbra.errors import PenumbraError
from penumbra.outliers import store
from penumbra.outliers.anchors import plan
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.training.pool import outlier_pixels


@pytest.fixture
def shards():
    anchors = plan([0, 0, 0, 1, 1], [f"i{n}" for n in range(5)], ["a", "b"], [0.05], None, False)
    rng = np.random.default_rng(0)
    starts = rng.standard_normal((5, 16)).astype(np.float32)
    embeddings = 2 * starts
    pixels = rng.integers(0, 256, (5, 3, 8, 8)).astype(np.uint8)
    tables = []
    for part in (slice(0, 2), slice(2, 5)):
        seeds = [a.seed(0, "embedding") for a in anchors[part]]
        rows = store.embedding_table(anchors[part], seeds, embeddings[part], starts[part], "key")
        tables.append(store.with_images(rows, seeds, pixels[part]))
    return anchors, embeddings, pixels, tables


def test_what_goes_in_comes_out(shards, tmp_path):
    anchors, embeddings, pixels, tables = shards
    for i, table in enumerate(tables):
        write_parquet(tmp_path / f"{i}.parquet", table, {})
    read = [read_parquet(tmp_path / f"{i}.parquet") for i in range(2)]
    assert [n for t in read for n in t["outlier"].to_pylist()] == [a.name for a in anchors]
    assert np.array_equal(np.concatenate([store.embeddings_of(t)[0] for t in read]), embeddings)
    assert np.array_equal(store.pixels_of(read, 8), pixels)
    assert store.encoder_of(read[0]) == "key"
    np.testing.assert_allclose(read[0]["cosine"].to_numpy(), 1, rtol=1e-6)


def test_images_are_resized_to_the_detectors_size(shards):
    pixels = store.pixels_of(shards[3], 4)
    assert pixels.shape == (5, 3, 4, 4)
    assert abs(pixels.mean() - shards[2].mean()) < 10


def selection(names, kept):
    return pa.table({"outlier": names, "kept": kept})


def test_a_detector_trains_on_the_kept_ones(shards):
    anchors, _, pixels, tables = shards
    names = [a.name for a in anchors]
    kept = selection(names, [False, True, True, False, True])
    assert np.array_equal(outlier_pixels(tables, kept, None, 8), pixels[[1, 2, 4]])
    assert np.array_equal(outlier_pixels(tables, None, None, 8), pixels)
    with pytest.raises(PenumbraError, match="no outlier is kept"):
        outlier_pixels(tables, selection(names, [False] * 5), None, 8)


def test_folds_are_disjoint_and_complete(shards):
    """What a judge of fold i did not see is what it judges."""
    *_, pixels, tables = shards
    parts = [outlier_pixels(tables, None, (i, 2), 8) for i in range(2)]
    assert sum(map(len, parts)) == len(pixels)
    seen = {image.tobytes() for image in parts[0]} & {image.tobytes() for image in parts[1]}
    assert not seen


def test_a_full_disk_leaves_no_shard(shards, tmp_path):
    """The writer fails half-way; what was there before stays, and nothing half-written is left."""
    target = tmp_path / "0of1.parquet"
    write_parquet(target, shards[3][0], {})
    before = target.read_bytes()

    def tables():
        yield shards[3][0]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PenumbraError, match=r"0of1\.parquet: no space is left"):
        write_parquet(target, tables(), {})
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["0of1.parquet"]


def test_a_sample_is_spread_over_the_shards(shards, tmp_path):
    *_, pixels, tables = shards
    files = [tmp_path / f"{i}.parquet" for i in range(2)]
    for file, table in zip(files, tables, strict=True):
        write_parquet(file, table, {})
    rows = store.sampled(files, ["outlier", "image"], 3)
    assert rows.column_names == ["outlier", "image"]
    assert np.array_equal(store.decoded(rows["image"].to_pylist()), pixels[[0, 2, 4]])
    assert len(store.sampled(files, ["outlier"], 9)) == 5


def test_images_are_packed_and_unpacked_alike_by_any_number_of_threads(shards, monkeypatch):
    *_, pixels, tables = shards
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert np.array_equal(store.pixels_of(tables, 8), pixels)
    again = store.with_images(tables[0].drop(["image_seed", "image"]), [0, 1], pixels[:2])
    assert again["image"].equals(tables[0]["image"])
