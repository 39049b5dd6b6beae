"""Readers: the embedded images, the three layouts of stored ones, and what they refuse."""

import io
import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data as pictures
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from penumbra.errors import PenumbraError
from penumbra.images.layout import locate
from penumbra.images.readers import digits, stored, windows
from penumbra.images.shards import ImageSet, evenly, from_table, to_table
from penumbra.planning.config import load_yaml

SPLITS = {"train": {"fraction": 0.4}, "heldout": {"fraction": 0.1}, "test": {"fraction": 0.5}}


@pytest.fixture(scope="session")
def catalogue(root):
    return load_yaml(root / "config/datasets.yaml")


def digits_of(split, classes=None):
    spec = {"dataset": {"splits": SPLITS}, "split": split, "classes": classes, "size": 32}
    return digits.read(spec, None)


def test_digits_are_split_without_overlap():
    parts = [digits_of(split) for split in SPLITS]
    origins = [origin for part in parts for origin in part.origins]
    assert len(origins) == len(set(origins)) == 1797
    assert all(set(part.labels.tolist()) == set(range(10)) for part in parts)
    held = digits_of("test", [6, 7, 8, 9])
    assert held.classes == ["6", "7", "8", "9"]
    assert set(held.labels.tolist()) == {0, 1, 2, 3}


def windows_of(catalogue, name, count=60):
    spec = {"name": name, "dataset": catalogue[name], "size": 32, "count": count}
    return windows.read(spec, None)


OOD = ["textures", "faces", "photographs", "histology", "night-sky", "letters"]


@pytest.mark.parametrize("kind", OOD)
def test_windows_belong_to_their_number(catalogue, kind):
    name = f"skimage-{kind}"
    many, few = windows_of(catalogue, name, 12), windows_of(catalogue, name, 5)
    assert np.array_equal(many.pixels[:5], few.pixels)
    assert many.pixels.shape == (12, 3, 32, 32)
    assert len(np.unique(many.pixels.reshape(12, -1), axis=0)) > 9


def test_mean_and_variance_do_not_betray_ood_images(catalogue):
    """A classifier of per-image mean and variance alone must not tell ID from OOD perfectly."""
    inside = digits_of("test").pixels
    outside = np.concatenate([windows_of(catalogue, f"skimage-{k}", 120).pixels for k in OOD])
    both = np.concatenate([inside, outside]).astype(float) / 255
    table = np.stack([both.mean((1, 2, 3)), both.var((1, 2, 3))], 1)
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(3), LogisticRegression(max_iter=2000)
    )
    guess = cross_val_predict(model, table, truth, cv=5, method="predict_proba")[:, 1]
    auroc = roc_auc_score(truth, guess)
    assert auroc < 0.9
    # All three channels carry the same grey, so colour says nothing.
    assert np.array_equal(both[:, 0], both[:, 1])
    assert np.array_equal(both[:, 0], both[:, 2])


def photographs(count, size=40):
    """Distinct crops of a real photograph."""
    picture = Image.fromarray(pictures.astronaut())
    return [picture.crop((9 * i, 5 * i, 9 * i + size, 5 * i + size)) for i in range(count)]


def write_folder(folder, classes=("cat", "dog"), each=3):
    for c, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(photographs(each)):
            image.rotate(90 * c).save(folder / name / f"{i}.png")


def write_parquet(file, count=6, classes="cat,dog"):
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for image in photographs(count):
        text = io.BytesIO()
        image.save(text, "JPEG")
        rows.append({"bytes": text.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(rows, kind), "label": pa.array([i % 2 for i in range(count)])}
    pq.write_table(pa.table(columns).replace_schema_metadata({"classes": classes}), file)


DATASET = {
    "title": "Cats and dogs",
    "reader": "stored",
    "source": "made here",
    "labelled": True,
    "classes": 2,
    "size": 32,
    "splits": {"train": {"count": 6}},
}


def spec(**changes):
    base = {
        "name": "pets-train", "dataset_name": "pets", "dataset": DATASET, "split": "train",
        "size": 32, "classes": None, "count": 6, "limit": None, "download": False,
    }  # fmt: skip
    return base | changes


def test_folder_and_parquet_layouts(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    folder = stored.read(spec(), tmp_path)
    assert folder.classes == ["cat", "dog"]
    assert folder.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert folder.pixels.shape == (6, 3, 32, 32)
    other = tmp_path / "other"
    write_parquet(other / "pets" / "train-00000-of-00002.parquet", 4)
    write_parquet(other / "pets" / "train-00001-of-00002.parquet", 2)
    parquet = stored.read(spec(), other)
    assert parquet.classes == ["cat", "dog"]
    assert parquet.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_unlabelled_sets_carry_no_labels(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    found = stored.read(spec(dataset=DATASET | {"labelled": False}), tmp_path)
    assert found.classes == []
    assert set(found.labels.tolist()) == {-1}


def test_official_cifar_files_are_read_after_their_checksum(tmp_path, catalogue, monkeypatch):
    """The published layout, written small; a file whose checksum is wrong is not unpickled."""
    import hashlib

    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
    batch = {"data": pixels, "labels": list(range(10)), "filenames": []}
    (folder / "test_batch").write_bytes(pickle.dumps(batch))
    names = {"label_names": [f"class{i}" for i in range(10)]}
    (folder / "batches.meta").write_bytes(pickle.dumps(names))

    def listed(name):
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [listed("test_batch")])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": listed("batches.meta")[1]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    cifar = {"dataset_name": "cifar10", "dataset": catalogue["cifar10"], "split": "test"}
    found = stored.read(spec(**cifar, count=10), tmp_path)
    assert np.array_equal(found.pixels.reshape(10, -1), pixels)
    assert found.classes[3] == "class3"
    (folder / "test_batch").write_bytes(b"changed")
    with pytest.raises(PenumbraError, match=r"CIFAR-10 in .*corrupted"):
        stored.read(spec(**cifar, count=10), tmp_path)


def test_official_svhn_file(tmp_path, catalogue, monkeypatch):
    import hashlib

    from scipy.io import savemat
    from torchvision.datasets import SVHN

    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    savemat(tmp_path / "test_32x32.mat", {"X": images, "y": np.array([[10], [1], [2], [3]])})
    md5 = hashlib.md5((tmp_path / "test_32x32.mat").read_bytes()).hexdigest()
    monkeypatch.setitem(SVHN.split_list, "test", ["", "test_32x32.mat", md5])
    svhn = {"dataset_name": "svhn", "dataset": catalogue["svhn"], "split": "test", "count": 4}
    found = stored.read(spec(**svhn), tmp_path)
    assert np.array_equal(found.pixels, images.transpose(3, 2, 0, 1))


def test_official_folder_comes_before_others(tmp_path, catalogue):
    write_folder(tmp_path / "dtd" / "images", ("banded", "zigzagged"))
    found = locate("textures", catalogue["textures"], "test", tmp_path)
    assert (found.layout, found.path) == ("official", tmp_path / "dtd" / "images")


def test_wrong_count_gives_both_numbers_and_the_key(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    with pytest.raises(
        PenumbraError, match=r"6 images in .*expected 7.*image_sets\.pets-train\.count"
    ):
        stored.read(spec(count=7), tmp_path)


def test_truncated_image_is_named(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    broken = tmp_path / "pets" / "train" / "dog" / "1.png"
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(PenumbraError, match=f"unreadable image {broken}"):
        stored.read(spec(), tmp_path)


def test_limit_is_balanced_and_fixed(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    first, second = (stored.read(spec(limit=4), tmp_path) for _ in range(2))
    assert first.origins == second.origins
    assert sorted(first.labels.tolist()) == [0, 0, 1, 1]


def test_sample_is_fns_draw(tmp_path):
    import random

    write_folder(tmp_path / "pets" / "train")
    sampled = DATASET | {"splits": {"train": {"count": 3, "sample": 3}}}
    found = stored.read(spec(dataset=sampled, count=3), tmp_path)
    listing = [f"{c}/{i}.png" for c in ("cat", "dog") for i in range(3)]
    random.seed(0)
    assert found.origins == random.sample(listing, 3)


def made(labels, classes):
    pixels = np.zeros((len(labels), 3, 4, 4), np.uint8)
    return ImageSet(pixels, np.array(labels), [f"row {i}" for i in range(len(labels))], classes)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 2, 1], ["a", "b"], "label 2 of row 1 is out of range; the set has 2 classes"),
        ([0, -1], ["a", "b"], "label -1 of row 1"),
        ([], ["a", "b"], "image set pets: no images"),
        ([-1, 3], [], "label 3 of row 1"),
    ],
)
def test_bad_labels_and_empty_sets_are_refused(labels, classes, message):
    with pytest.raises(PenumbraError, match=message):
        made(labels, classes).check("pets")


def test_evenly_spread_rows():
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 8).tolist() == evenly(3, None).tolist() == [0, 1, 2]


def test_table_round_trip():
    images = digits_of("heldout")
    back = from_table(to_table(images))
    assert np.array_equal(back.pixels, images.pixels)
    assert np.array_equal(back.labels, images.labels)
    assert (back.origins, back.classes) == (images.origins, images.classes)
    assert json.loads(to_table(images).schema.metadata[b"shape"]) == [3, 32, 32]


def test_catalogue_states_counts_licence_and_source(catalogue):
    for name, entry in catalogue.items():
        assert entry["licence"], name
        assert entry["source"], name
        assert all("count" in split or "fraction" in split for split in entry["splits"].values())


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "isun"])
def test_real_parquet_data(request, catalogue, name):
    """Where real data lie beside the vectors, the reader finds and decodes them."""
    root = request.config.getoption("--vectors").parent / "data"
    file = root / name / "test.parquet"
    if not file.is_file():
        pytest.skip(f"no {file}")
    count = pq.read_metadata(file).num_rows
    found = stored.read(
        spec(
            name=name,
            dataset_name=name,
            dataset=catalogue[name],
            split="test",
            count=count,
            limit=50,
        ),
        root,
    )
    assert found.pixels.shape == (50, 3, 32, 32)
    assert found.pixels.std() > 20
