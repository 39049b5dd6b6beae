"""Outliers that were made elsewhere: their bytes, classes and embeddings, and what is refused."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.images import chosen
from penumbra.images.originals import ROOT, THREADS
from penumbra.outliers.asked import Asked
from penumbra.outliers.kinds.images import outliers
from penumbra.outliers.store import from_png
from penumbra.store.artifacts import write_parquet
from tests.images.helpers import PETS, photographs, spec


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(THREADS, "1")
    monkeypatch.setenv(ROOT, str(tmp_path / "data"))
    return tmp_path / "data"


def write_folder(root, ends=("png", "png", "jpg", "png")):
    """A cat and a dog, both PNG; a JPEG; and a picture that is not square."""
    images = photographs(4, 40)
    images[3] = images[3].crop((0, 0, 40, 20))
    files = []
    for i, (image, end) in enumerate(zip(images, ends, strict=True)):
        files.append(root / "pets/train" / ("cat", "dog")[i % 2] / f"{i}.{end}")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        image.save(files[-1])
    return files


def write_rows(root, embeddings, name="train"):
    images = [io.BytesIO() for _ in embeddings]
    for image, out in zip(photographs(len(images), 40), images, strict=True):
        image.save(out, "PNG")
    columns = {"image": [out.getvalue() for out in images], "label": ["cat", "dog"]}
    if embeddings[0] is not None:
        columns["embedding"] = embeddings
    (root / "pets").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / f"pets/{name}.parquet")
    return columns["image"]


def asked(root, shard="0of1", grey=False, **changes):
    config = spec(**({"dataset": PETS, "stored": "listed", "count": None} | changes))
    digest = chosen.Digest()
    tables = [*chosen.tables(config, chosen.chosen(config, root), 1, digest)]
    path = root / "set.parquet"
    write_parquet(path, tables, {"rule": "images", "config": config, "data": digest.hex()})
    return Asked(
        options={"images": "set"}, seed=0, shard=shard, grey=grey, device=torch.device("cpu"),
        batch_size=4, embeddings=None, train=Path("train"), given=path, generator=None,
        classes=["dog", "owl"], words=["dog", "owl"],
    )  # fmt: skip


def test_png_keeps_its_bytes_and_classes_go_by_name(root):
    files = write_folder(root)
    table = outliers(asked(root))
    assert [Path(name).name for name in table["outlier"].to_pylist()] == [
        "0.png", "2.jpg", "1.png", "3.png"
    ]  # fmt: skip
    assert table["label"].to_pylist() == [-1, -1, 0, 0]
    assert set(table["anchor"].to_pylist()) == {-1}
    of = dict(
        zip((Path(n).name for n in table["outlier"].to_pylist()), table["image"], strict=True)
    )
    for file in files[:2]:
        assert of[file.name].as_py() == file.read_bytes()
    assert from_png(of["2.jpg"].as_py()).shape == (3, 40, 40)
    assert from_png(of["3.png"].as_py()).shape == (3, 32, 32)


def test_shards_are_runs_and_decoded_sets_do(root):
    write_folder(root)
    whole = outliers(asked(root))["image"].to_pylist()
    parted = [outliers(asked(root, f"{i}of3"))["image"].to_pylist() for i in range(3)]
    assert [image for shard in parted for image in shard] == whole
    decoded = outliers(asked(root, stored="decoded", grey=True))
    pixels = from_png(decoded["image"][0].as_py())
    assert pixels.shape == (3, 32, 32)
    assert np.array_equal(pixels[0], pixels[2])
    assert not np.array_equal(*from_png(whole[0])[:2])


def test_embeddings_come_along_where_all_files_have_them(root):
    write_rows(root, [[1.0, 2.0], [3.0, 4.0]])
    assert outliers(asked(root))["embedding"].to_pylist() == [[1.0, 2.0], [3.0, 4.0]]
    write_rows(root, [None, None])
    assert "embedding" not in outliers(asked(root)).column_names


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        ([[1.0, 2.0], [3.0]], r"lists of 1 and 2 numbers \(2 lengths\)"),
        (pa.array([[1.0, 2.0], None]), "lists of 0 and 2 numbers"),
        (pa.array([[], []], pa.list_(pa.float32())), "lists of 0 numbers"),
        ([1.0, 2.0], "is of double; make it lists of numbers"),
        ([["a"], ["b"]], "is of list<.*string>; make it lists of numbers"),
        ([[1.0, 2.0], [float("nan"), 2.0]], "no finite number of single precision in row 1"),
        (pa.array([[1.0, None], [1.0, 2.0]]), "no finite number of single precision in row 0"),
    ],
)
def test_odd_embeddings_are_named(root, embeddings, message):
    write_rows(root, embeddings)
    with pytest.raises(PenumbraError, match=f"train.parquet: its column `embedding` .*{message}"):
        outliers(asked(root))


def test_embeddings_are_alike_in_all_files(root):
    """Whatever the shard: one of files without them would else be a set of another kind."""
    write_rows(root, [[1.0, 2.0], [3.0, 4.0]], "train-00000-of-00002")
    write_rows(root, [[1.0], [3.0]], "train-00001-of-00002")
    with pytest.raises(PenumbraError, match=r"has 1 numbers a row, and that of .* 2; give both"):
        outliers(asked(root))
    write_rows(root, [None, None], "train-00001-of-00002")
    for shard in ("0of2", "1of2"):
        with pytest.raises(PenumbraError, match=r"00001-of-00002.parquet: it has no column"):
            outliers(asked(root, shard))
