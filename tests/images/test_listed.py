"""Listed image sets: the same pixels as a decoded one, from originals that may not change."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penumbra.audit.verification import check_data
from penumbra.errors import PenumbraError, UnreadableError
from penumbra.images import chosen, image_set
from penumbra.images.originals import ROOT, THREADS, Originals
from penumbra.store.artifacts import write_parquet
from tests.images.helpers import PETS, photographs, spec
from tests.images.helpers import write_parquet as write_rows

CROPPED = PETS | {"square": "crop"}


@pytest.fixture(autouse=True)
def small_groups(tmp_path, monkeypatch):
    """Row groups of two images, and three threads that decode."""
    monkeypatch.setattr(chosen, "GROUP", 2 * 3 * 32 * 32)
    monkeypatch.setattr(image_set, "GROUP", 2 * 3 * 32 * 32)
    monkeypatch.setenv(THREADS, "3")
    monkeypatch.setenv(ROOT, str(tmp_path / "data"))


def write_folder(root):
    """Three JPEGs and three PNGs of several shapes, in two class folders."""
    for i, image in enumerate(photographs(6, 90)):
        folder = root / "pets/train" / ("cat", "dog")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        end = ("jpg", "png")[i // 3]
        image.crop((0, 0, 60 + 5 * i, 90 - 7 * i)).save(folder / f"{i}.{end}")


def write_one_file(root):
    (root / "pets").mkdir(parents=True)
    write_rows(root / "pets/train.parquet", group=4)


def stored(root, **changes):
    """An image set's file as the images stage writes it."""
    config = spec(**({"dataset": CROPPED} | changes))
    digest = chosen.Digest()
    entries = chosen.chosen(config, root)
    tables = list(chosen.tables(config, entries, 2, digest))
    path = root / f"{config['stored']}.parquet"
    write_parquet(path, tables, {"rule": "images", "config": config, "data": digest.hex()})
    return path


@pytest.mark.parametrize("write", [write_folder, write_one_file])
@pytest.mark.parametrize("dataset", [PETS, CROPPED])
def test_readings_get_the_same_of_both(tmp_path, write, dataset):
    root = tmp_path / "data"
    write(root)
    decoded, listed = (stored(root, dataset=dataset, stored=s) for s in ("decoded", "listed"))
    assert image_set.row_group_sizes(listed) == image_set.row_group_sizes(decoded) == [2, 2, 2]
    assert image_set.classes_of(listed) == image_set.classes_of(decoded) == ["cat", "dog"]
    assert np.array_equal(image_set.labels_of(listed), image_set.labels_of(decoded))
    for number in range(3):
        same(*(image_set.row_group(path, number) for path in (decoded, listed)))
    same(image_set.opened(decoded), image_set.from_table(pq.read_table(listed)))
    rows = [5, 0, 3, 0]
    of_both = (image_set.pixels_at(path, rows) for path in (decoded, listed))
    assert np.array_equal(*of_both)
    assert listed.stat().st_size < decoded.stat().st_size


def same(one, other):
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.labels, other.labels)
    assert (one.origins, one.classes) == (other.origins, other.classes)


def test_no_more_is_decoded_than_is_asked_for(tmp_path, monkeypatch):
    root = tmp_path / "data"
    write_folder(root)
    path, read = stored(root, stored="listed"), []
    whole = Originals.image
    monkeypatch.setattr(Originals, "image", lambda self, i: read.append(i) or whole(self, i))
    image_set.pixels_at(path, [3, 4])
    assert sorted(read) == [3, 4]
    image_set.labels_of(path)
    image_set.opened(path)
    assert len(read) == 2


def test_the_data_may_be_moved(tmp_path, monkeypatch):
    root = tmp_path / "data"
    write_folder(root)
    path = stored(root, stored="listed")
    first = image_set.row_group(path, 1).pixels
    moved = root.rename(tmp_path / "elsewhere")
    with pytest.raises(
        UnreadableError, match=r"unreadable image .*cat/0.jpg: it cannot be read: No"
    ):
        image_set.row_group(moved / path.name, 0)
    monkeypatch.setenv(ROOT, str(moved))
    assert np.array_equal(image_set.row_group(moved / path.name, 1).pixels, first)
    monkeypatch.delenv(ROOT)
    with pytest.raises(UnreadableError, match="lie below the data root, and none is named"):
        image_set.row_group(moved / path.name, 0)


def test_another_image_is_no_substitute(tmp_path):
    root = tmp_path / "data"
    write_folder(root)
    path = stored(root, stored="listed")
    check_data(path, root)
    file = root / "pets/train/cat/2.jpg"
    listed = file.read_bytes()
    file.write_bytes(listed[:-9] + bytes(9))  # of the same length
    with pytest.raises(
        UnreadableError, match=r"pets-train: unreadable image .*cat/2.jpg: its \d+ "
    ):
        image_set.row_group(path, 0)
    Image.new("RGB", (50, 50)).save(file)
    with pytest.raises(UnreadableError, match=r"bytes are not the \d+ that were listed; put the"):
        image_set.pixels_at(path, [1])
    with pytest.raises(PenumbraError, match="files of data set pets have changed since"):
        check_data(path, root)
    file.write_bytes(listed)
    check_data(path, root)


def test_what_cannot_be_decoded_is_not_listed(tmp_path):
    root = tmp_path / "data"
    write_folder(root)
    file = root / "pets/train/dog/1.jpg"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UnreadableError, match=r"unreadable image .*dog/1.jpg .*Truncated"):
        stored(root, stored="listed")


def test_what_was_never_encoded_is_not_listed(tmp_path):
    digits = {"reader": "digits", "labelled": True, "splits": {"test": {"fraction": 0.5}}}
    with pytest.raises(
        UnreadableError, match=r"image set few: .* no encoded image, so it can't be"
    ):
        stored(
            tmp_path, name="few", dataset_name="digits", dataset=digits, split="test", size=16,
            limit=5, count=None, stored="listed",
        )  # fmt: skip


def test_a_list_says_all_that_its_readers_need(tmp_path):
    root = tmp_path / "data"
    write_one_file(root)
    table = pq.read_table(stored(root, stored="listed"))
    names = ["label", "origin", "file", "group", "row", "length", "digest"]
    assert table.schema.names == names
    assert table["file"].to_pylist() == ["pets/train.parquet"] * 6
    assert table["group"].to_pylist() == [0, 0, 0, 0, 1, 1]
    assert table["row"].to_pylist() == [0, 1, 2, 3, 0, 1]
    meta = table.schema.metadata
    assert json.loads(meta[b"shape"]) == [3, 32, 32]
    assert pa.types.is_fixed_size_binary(table.schema.field("digest").type)
    images = Originals(table)
    assert np.array_equal(images.labels, [0, 1] * 3)
    assert images.image(5).size == Image.open(io.BytesIO(images.encoded(5))).size
