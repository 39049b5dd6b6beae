"""Readers: the embedded images, the three layouts of stored ones, and what they refuse."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from penumbra.errors import PenumbraError
from penumbra.images.contrast import render
from penumbra.images.layout import listing, locate
from penumbra.images.readers import stored, windows
from penumbra.images.subset import select
from tests.images.helpers import (
    PETS,
    SPLITS,
    digits_of,
    read,
    spec,
    whole,
    write_folder,
    write_parquet,
)


def test_digits_are_split_without_overlap():
    parts = [digits_of(split) for split in SPLITS]
    origins = [origin for part in parts for origin in part.origins]
    assert len(origins) == len(set(origins)) == 1797
    assert all(set(part.labels.tolist()) == set(range(10)) for part in parts)
    held = digits_of("test", classes=[6, 7, 8, 9])
    assert held.classes == ["6", "7", "8", "9"]
    assert set(held.labels.tolist()) == {0, 1, 2, 3}


def test_digits_are_those_of_scikit_learn():
    bunch = load_digits()
    found = digits_of("heldout")
    for i, origin in enumerate(found.origins):
        row = int(origin.removeprefix("digits/"))
        assert found.labels[i] == bunch.target[row]
        assert np.array_equal(found.pixels[i], render(bunch.images[row], 32))


def windows_of(catalogue, name, count=60):
    given = {"name": name, "dataset": catalogue[name], "size": 32, "count": count}
    return whole(windows.entries(given, None))


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


def test_folder_and_parquet_layouts(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    folder = read(spec(), tmp_path)
    assert folder.classes == ["cat", "dog"]
    assert folder.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert folder.pixels.shape == (6, 3, 32, 32)
    other = tmp_path / "other"
    write_parquet(other / "pets" / "train-00000-of-00002.parquet", 4)
    write_parquet(other / "pets" / "train-00001-of-00002.parquet", 2)
    parquet = read(spec(), other)
    assert parquet.classes == ["cat", "dog"]
    assert parquet.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_unlabelled_sets_carry_no_labels(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    found = read(spec(dataset=PETS | {"labelled": False}), tmp_path)
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
    found = read(spec(**cifar, count=10), tmp_path)
    assert np.array_equal(found.pixels.reshape(10, -1), pixels)
    assert found.classes[3] == "class3"
    (folder / "test_batch").write_bytes(b"changed")
    with pytest.raises(PenumbraError, match=r"CIFAR-10 in .*corrupted"):
        read(spec(**cifar, count=10), tmp_path)


def test_official_svhn_file(tmp_path, catalogue, monkeypatch):
    import hashlib

    from scipy.io import savemat
    from torchvision.datasets import SVHN

    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    savemat(tmp_path / "test_32x32.mat", {"X": images, "y": np.array([[10], [1], [2], [3]])})
    md5 = hashlib.md5((tmp_path / "test_32x32.mat").read_bytes()).hexdigest()
    monkeypatch.setitem(SVHN.split_list, "test", ["", "test_32x32.mat", md5])
    svhn = {"dataset_name": "svhn", "dataset": catalogue["svhn"], "split": "test", "count": 4}
    found = read(spec(**svhn), tmp_path)
    assert np.array_equal(found.pixels, images.transpose(3, 2, 0, 1))


def test_official_folder_comes_before_others(tmp_path, catalogue):
    write_folder(tmp_path / "dtd" / "images", ("banded", "zigzagged"))
    found = locate("textures", catalogue["textures"], "test", tmp_path)
    assert (found.layout, found.path) == ("official", tmp_path / "dtd" / "images")


def test_a_folder_of_folders_takes_the_innermost_as_class(tmp_path):
    for corruption in ("blur", "fog"):
        write_folder(tmp_path / "pets" / "train" / corruption / "3")
    found = read(spec(count=12), tmp_path)
    assert found.classes == ["cat", "dog"]
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert found.origins[3] == "blur/3/dog/0.png"


def test_folders_named_by_number_are_sorted_by_number(tmp_path):
    write_folder(tmp_path / "pets" / "train", ("0", "2", "10"), 2)
    found = read(spec(dataset=PETS | {"classes": 3}), tmp_path)
    assert found.classes == ["0", "2", "10"]


def test_folders_may_be_links(tmp_path):
    write_folder(tmp_path / "elsewhere")
    (tmp_path / "pets" / "train").mkdir(parents=True)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / "train" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert read(spec(), tmp_path).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_link_to_nothing_is_named(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    link = tmp_path / "pets" / "train" / "dog" / "2.png"
    link.unlink()
    link.symlink_to(tmp_path / "gone.png")
    assert listing(locate("pets", PETS, "train", tmp_path))
    with pytest.raises(PenumbraError, match=f"unreadable image {link}"):
        read(spec(), tmp_path)


def test_data_set_of_some_of_the_folders(tmp_path):
    """A class list makes the data set; folders beside those that it names do not count."""
    folder = tmp_path / "pets" / "train"
    write_folder(folder, ("bird", "cat", "dog"))
    listed = PETS | {"classes_file": "furry", "class_list": ["dog", "cat"]}
    found = read(spec(dataset=listed), tmp_path)
    assert found.classes == ["dog", "cat"]
    assert found.labels.tolist() == [1, 1, 1, 0, 0, 0]
    whole_set, part = (locate("pets", d, "train", tmp_path) for d in (PETS, listed))
    before = listing(whole_set), listing(part, listed["class_list"])
    (folder / "bird" / "0.png").unlink()
    after = listing(whole_set), listing(part, listed["class_list"])
    assert before[0] != after[0]
    assert before[1] == after[1]
    (folder / "cat" / "0.png").unlink()
    assert listing(part, listed["class_list"]) != after[1]
    wrong = listed | {"class_list": ["dog", "birdy"]}
    message = r"data set pets in .*config/classes/furry\.txt: unknown class 'birdy'; .*'bird'"
    with pytest.raises(PenumbraError, match=message):
        read(spec(dataset=wrong), tmp_path)


def test_class_folders_that_are_not_asked_for_are_passed_by(tmp_path):
    """Labels are those of the whole set; one whose count is stated is looked through."""
    folder = tmp_path / "pets" / "train"
    write_folder(folder, ("bird", "cat", "dog"))
    (folder / "bird" / "broken.png").symlink_to(folder / "bird")  # would be told, were it seen
    asked = {"classes": ["dog"], "folders": ["dog"], "dataset": PETS | {"classes": 3}}
    found = stored.entries(spec(**asked), tmp_path)
    assert found.classes == ["bird", "cat", "dog"]
    assert found.labels().tolist() == [2, 2, 2]
    assert select(found, spec(**asked)).labels().tolist() == [0, 0, 0]
    (folder / "bird" / "broken.png").unlink()
    with pytest.raises(PenumbraError, match=r"9 images .* expected 6; .*pets-train\.count"):
        read(spec(**asked | {"folders": None}), tmp_path)


def test_split_without_count_is_not_counted(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    assert len(read(spec(count=None), tmp_path)) == 6


def test_wrong_count_gives_both_numbers_and_the_key(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    with pytest.raises(
        PenumbraError, match=r"6 images in .*expected 7.*image_sets\.pets-train\.count"
    ):
        read(spec(count=7), tmp_path)


def test_truncated_image_is_named(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    broken = tmp_path / "pets" / "train" / "dog" / "1.png"
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(PenumbraError, match=f"unreadable image {broken}"):
        read(spec(), tmp_path)


def test_sample_is_fns_draw(tmp_path):
    import random

    write_folder(tmp_path / "pets" / "train")
    sampled = PETS | {"splits": {"train": {"count": 3, "sample": 3}}}
    found = read(spec(dataset=sampled, count=3), tmp_path)
    listing = [f"{c}/{i}.png" for c in ("cat", "dog") for i in range(3)]
    random.seed(0)
    assert found.origins == random.sample(listing, 3)


REAL = [
    *(("cifar10", "test"), ("cifar100", "test"), ("svhn", "test"), ("isun", "test")),
    *(("tiny-imagenet50", split) for split in ("train", "test", "calibration_ood", "near_ood")),
    *(("textures64", "test"), ("places64", "test"), ("imagenette-mini", "val")),
]


@pytest.mark.parametrize(("name", "split"), REAL)
def test_real_parquet_data(request, catalogue, name, split):
    """Where real data lie beside the vectors, the reader finds and decodes them."""
    root = request.config.getoption("--vectors").parent / "data"
    dataset = catalogue[name]
    file = root / dataset.get("folder", name) / f"{split}.parquet"
    if not file.is_file():
        pytest.skip(f"no {file}")
    complete = name not in ("cifar100", "svhn")
    count = dataset["splits"][split]["count"] if complete else pq.read_metadata(file).num_rows
    size = dataset["size"]
    given = spec(name=name, dataset_name=name, dataset=dataset, split=split)
    found = read(given | {"size": size, "count": count, "limit": 50}, root)
    assert found.pixels.shape == (50, 3, size, size)
    assert found.pixels.std() > 20
    assert len(found.classes) == dataset.get("classes", 0)
    if dataset["labelled"]:
        assert np.bincount(found.labels).max() == max(1, 50 // dataset["classes"])
