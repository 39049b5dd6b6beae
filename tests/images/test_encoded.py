"""Parquet files of encoded images: what is read of them, when, and how much is held."""

import io
import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images import encoded, image_set
from penumbra.images.image_set import decoded
from penumbra.images.readers import stored
from tests.images.helpers import PETS, read, spec, whole, write_parquet

FILES = ("train-00000-of-00003.parquet", "train-00001-of-00003.parquet", "train-00002.parquet")
GROUPS = [(FILES[0], 0), (FILES[0], 1), (FILES[1], 0), (FILES[1], 1), (FILES[1], 2), (FILES[2], 0)]


@pytest.fixture
def pets(tmp_path):
    """Eighteen images in three files and six row groups of one to four images."""
    for number, (name, count) in enumerate(zip(FILES, (7, 9, 2), strict=True)):
        write_parquet(tmp_path / "pets" / name, count, group=4, first=6 * number)
    return tmp_path


def directly(root):
    """The same images by another way: whole tables, Pillow alone."""
    found = []
    for name in FILES:
        for row in pq.read_table(root / "pets" / name)["image"].to_pylist():
            image = Image.open(io.BytesIO(row["bytes"])).convert("RGB").resize((32, 32), 2)
            found.append(np.asarray(image).transpose(2, 0, 1))
    return np.stack(found)


@pytest.fixture
def watched(monkeypatch):
    """Which row groups are read, in order; and how many are alive at the most."""
    record = {"read": [], "alive": []}
    alive = weakref.WeakValueDictionary()
    plain = encoded.read

    def noting(file, number):
        found = plain(file, number)
        alive[len(record["read"])] = found
        record["read"].append((file.name, number))
        record["alive"].append(len(alive))
        return found

    monkeypatch.setattr(encoded, "read", noting)
    return record


def test_listing_reads_no_image(pets, watched):
    entries = stored.entries(spec(count=18), pets)
    assert entries.labels().tolist() == [*[0, 1] * 3, 0, *[0, 1] * 4, 0, 0, 1]
    assert entries.rows[8].origin == f"{FILES[1]}[1]"
    assert watched["read"] == []


@pytest.mark.parametrize("part", [2**26, 5 * 3 * 32 * 32])
def test_in_order_every_row_group_is_read_once_and_two_are_held(pets, watched, monkeypatch, part):
    monkeypatch.setattr(image_set, "GROUP", part)
    found = whole(stored.entries(spec(count=18), pets))
    assert np.array_equal(found.pixels, directly(pets))
    assert watched["read"] == GROUPS
    assert max(watched["alive"]) <= encoded.KEPT == 2


@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_nothing_and_hold_no_more(pets, watched, monkeypatch, threads):
    monkeypatch.setattr(image_set, "AHEAD", threads)  # each thread one image at a time
    parts = list(decoded(stored.entries(spec(count=18), pets), threads))
    assert np.array_equal(np.concatenate([part.pixels for part in parts]), directly(pets))
    assert set(watched["read"]) == set(GROUPS)
    # A thread may still copy an image's bytes out of a row group that gave way to another.
    assert max(watched["alive"]) <= encoded.KEPT + threads


def test_a_sample_keeps_its_order_and_is_read_in_the_order_of_its_files(pets, watched):
    sampled = PETS | {"splits": {"train": {"count": 16, "sample": 16}}}
    entries = stored.entries(spec(dataset=sampled, count=16), pets)
    found = whole(entries)
    places = [row.place for row in entries.rows]
    assert places != sorted(places)
    assert np.array_equal(found.pixels, directly(pets)[places])
    # The first image of the sample tells the shape; from then on each row group is read once.
    after = watched["read"][1:]
    assert after == [group for group in GROUPS if group in after]
    assert len(after) >= len(GROUPS) - 1


def test_any_order_is_right_and_holds_two_row_groups(pets, watched):
    entries, expected = stored.entries(spec(count=18), pets), directly(pets)
    for i in np.random.default_rng(0).permutation(np.repeat(np.arange(18), 3)):
        assert np.array_equal(entries.rows[i].pixels(), expected[i])
    assert len(watched["read"]) > len(GROUPS)
    assert max(watched["alive"]) <= encoded.KEPT


def test_the_last_two_row_groups_are_not_read_again(pets, watched):
    rows = stored.entries(spec(count=18), pets).rows
    for i in (0, 5, 1, 6, 2):  # to and fro between two row groups
        rows[i].pixels()
    assert watched["read"] == GROUPS[:2]
    rows[8].pixels()  # a third one takes the place of what was used longest ago: the second
    rows[3].pixels()
    assert watched["read"] == GROUPS[:3]
    rows[6].pixels()
    assert watched["read"] == [*GROUPS[:3], GROUPS[1]]


def rewrite(file, change):
    """The file with its images' bytes as `change(row number, bytes)` gives them."""
    table = pq.read_table(file)
    rows = [
        {"bytes": change(i, row["bytes"]), "path": f"{i}.jpg"}
        for i, row in enumerate(table["image"].to_pylist())
    ]
    column = pa.array(rows, table["image"].type)
    pq.write_table(table.set_column(0, "image", column), file, row_group_size=4)


@pytest.mark.parametrize("cut", [lambda text: text[:200], lambda text: None, lambda text: b""])
def test_an_unreadable_image_is_named_with_its_file_and_row(pets, cut):
    rewrite(pets / "pets" / FILES[1], lambda i, text: cut(text) if i == 6 else text)
    with pytest.raises(PenumbraError, match=rf"unreadable image {FILES[1]}\[6\] 6\.jpg: .*replace"):
        read(spec(count=18), pets)


def test_what_is_no_parquet_file_is_named(pets):
    file = pets / "pets" / FILES[2]
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(PenumbraError, match=f"unreadable {file}: .*replace the file"):
        read(spec(count=18), pets)


def test_a_file_that_is_cut_off_later_names_the_image(pets):
    entries = stored.entries(spec(count=18), pets)
    (pets / "pets" / FILES[0]).write_bytes(b"PAR1")
    with pytest.raises(PenumbraError, match=rf"unreadable image {FILES[0]}\[0\]"):
        entries.rows[0].pixels()


def test_bytes_may_be_of_arrows_large_kind(pets):
    expected = directly(pets)
    for name in FILES:
        table = pq.read_table(pets / "pets" / name)
        large = pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])
        column = pa.array(table["image"].to_pylist(), large)
        pq.write_table(table.set_column(0, "image", column), pets / "pets" / name)
    assert np.array_equal(read(spec(count=18), pets).pixels, expected)
