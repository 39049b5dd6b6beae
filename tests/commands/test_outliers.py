"""An exported outlier set: the same bytes, all that is known of each, a card, refusals."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from penumbra import cli
from penumbra.images.chosen import Digest, tables
from penumbra.images.encoded import listed
from penumbra.images.image_set import ImageSet, to_table
from penumbra.images.readers import stored
from penumbra.outliers.anchors import plan
from penumbra.outliers.asked import Asked
from penumbra.outliers.kinds.images import outliers
from penumbra.outliers.store import embedding_table, with_images
from penumbra.planning.paths import path
from penumbra.store.artifacts import read_parquet, write_parquet
from tests.images.helpers import spec

CLASSES = [str(digit) for digit in range(10)]
SET = {"benchmark": "digits", "outliers": "mixed"}
MODEL = {"benchmark": "digits", "backbone": "resnet34", "recipe": "bad-ood", "seed": 0}


def put(kind, table, config=None, **names):
    made = {"rule": kind, "wildcards": {}, "config": config or {}, "code": {"digest": "c" * 64}}
    file = path("embedded", kind, **names)
    write_parquet(file, table, made)
    return file


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Twelve outliers of the embedded world, what a model says of them, and the training images."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels, origins = [0, 0, 3, 3, 9, 9] * 2, [f"digits/{i}" for i in range(12)]
    images = ImageSet(np.zeros((12, 3, 8, 8), np.uint8), np.array(labels), origins, CLASSES)
    put("images", to_table(images), image_set="digits-train")
    anchors = plan(labels, origins, CLASSES, (0.05,), None, False)
    starts = rng.standard_normal((12, 8)).astype(np.float32)
    rows = embedding_table(anchors, range(12), starts + 0.3, starts, "encoder")
    rows = with_images(rows, range(12), rng.integers(0, 256, (12, 3, 8, 8)).astype(np.uint8))
    put("outliers", rows, shard="0of1", **SET)
    names = rows["outlier"]
    judged = {"outlier": names, "kept": [True] * 5 + [False] * 7, "q": np.linspace(0, 1, 12)}
    put("selections", pa.table(judged), {"outliers": "mixed"}, **MODEL)
    sorted_ = {"outlier": names[:3], "category": [1, 2, 3], "recognised": ["0", "1", "2"]}
    put("categories", pa.table({**sorted_, "probability": [0.9, 0.8, 0.1]}), **MODEL)
    return rows


def a_model():
    file = Path(path("embedded", "models", **MODEL))
    file.parent.mkdir(parents=True)
    file.touch()
    return str(file.parent)


def call(*arguments):
    return cli.main(["outliers", "export", "results/embedded/outliers/digits/mixed", *arguments])


def test_a_set_travels_with_all_that_is_known_of_it(there, capsys):
    assert call("out", "--model", a_model()) == 0
    assert "12 outliers in 1 files below out/data" in capsys.readouterr().out
    made = pq.read_table("out/data/train-00000-of-00001.parquet")
    assert made["image"].combine_chunks().field("bytes").equals(there["image"].combine_chunks())
    assert made["embedding"].equals(there["embedding"])
    assert made["class"].to_pylist() == [CLASSES[i] for i in made["label"].to_pylist()]
    assert made["kept"].to_pylist() == [True] * 5 + [False] * 7
    assert made["p_id"].to_pylist() == np.linspace(0, 1, 12).tolist()
    assert made["category"].to_pylist() == ["OOD-I", "OOD-II", "OOD-III", *[None] * 9]
    features = json.loads(made.schema.metadata[b"huggingface"])["info"]["features"]
    assert [*features] == made.column_names
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"_type": "ClassLabel", "names": CLASSES}
    assert features["embedding"]["length"] == 8
    assert features["class"] == {"_type": "Value", "dtype": "string"}
    assert features["kept"] == {"_type": "Value", "dtype": "bool"}


def test_the_card_says_what_it_is(there):
    assert call("out") == 0
    _, head, text = Path("out/README.md").read_text("utf-8").split("---\n", 2)
    assert yaml.safe_load(head)["configs"][0]["data_files"][0]["path"] == "data/*.parquet"
    assert "12 images for training" in text
    assert "3 classes of 4 to 4 outliers" in text
    assert '"scales"' in text
    assert "- `image_seed`: seed of the image's draws" in text
    assert "`p_id`" not in text


def test_the_card_counts_outliers_without_a_class_apart(there):
    for few, told in ((5, "2 classes of 3 to 4 outliers, 5 without a class"), (12, ": 12 without")):
        labels = pa.array([-1] * few + there["label"].to_pylist()[few:], pa.int64())
        place = there.column_names.index("label")
        put("outliers", there.set_column(place, "label", labels), shard="0of1", **SET)
        assert call(f"out{few}") == 0
        assert told in Path(f"out{few}/README.md").read_text("utf-8")


def test_it_is_read_as_a_data_set_of_images(there, tmp_path):
    assert call("out") == 0
    rows, classes, _ = listed((tmp_path / "out/data/train-00000-of-00001.parquet",), True)
    assert classes == CLASSES
    assert [label for *_, label in rows] == there["label"].to_pylist()
    assert [image.encoded() for _, image, _ in rows] == there["image"].to_pylist()


def test_it_is_read_back_as_an_outlier_set(there, tmp_path):
    """To the same bytes, with class and embedding."""
    assert call("out") == 0
    dataset = {
        "title": "Ours", "reader": "stored", "labelled": True, "classes": 10,
        "splits": {"all": {"path": str(tmp_path / "out/data/train-00000-of-00001.parquet")}},
    }  # fmt: skip
    given = spec(name="given", dataset=dataset, split="all", size=8, count=None, stored="listed")
    made = tables(given, stored.entries(given, None), 1, Digest())
    write_parquet("given.parquet", made, {})
    asked = Asked(
        options={}, seed=0, shard="0of1", grey=False, device=torch.device("cpu"), batch_size=1,
        embeddings=None, train=tmp_path, given=tmp_path / "given.parquet", generator=None,
        classes=CLASSES, words=CLASSES,
    )  # fmt: skip
    rows = outliers(asked)
    for name in ("image", "embedding", "label"):
        assert rows[name].to_pylist() == there[name].to_pylist(), name


MIXED = Path("results/embedded/outliers/digits/mixed/0of1.parquet")


def flip(file):
    """Change one bit of a file."""
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: Path("out").touch(), "out: is there and not empty"),
        (MIXED.unlink, r"0of1.parquet is not there \(1 of 1 files\); `penumbra run WORLD results"),
        (
            Path("results/embedded/images/digits-train.parquet").unlink,
            "digits-train.parquet is not there",
        ),
        (lambda: flip(MIXED), "0of1.parquet: damaged"),
    ],
)
def test_what_is_not_whole_is_refused(there, capsys, change, message):
    change()
    assert call("out") == 1
    assert re.search(message, capsys.readouterr().err)


def test_a_model_of_other_outliers_is_refused(there, capsys):
    selected = read_parquet(path("embedded", "selections", **MODEL))
    put("selections", selected, {"outliers": "gaussian"}, **MODEL)
    assert call("out", "--model", a_model()) == 1
    assert "it selects among the outliers gaussian, and mixed are" in capsys.readouterr().err
    assert cli.main(["outliers", "export", "results/embedded/models", "out"]) == 1
    assert "is no place of an outlier set" in capsys.readouterr().err
