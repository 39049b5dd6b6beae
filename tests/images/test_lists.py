"""Splits that name their path: folders, Parquet files, and lists of images."""

import os

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.images.layout import listing, locate, missing
from tests.images.helpers import PETS, photographs, read, spec, write_folder, write_parquet

TEXT = "cat/0.png cat\ncat/1.png cat\ncat/2.png cat\ndog/0.png dog\ndog/1.png dog\ndog/2.png dog\n"


def at(path, **changes):
    """The pets, whose training split lies at `path`."""
    splits = {"train": {"path": path}, "test": {}}
    return spec(dataset=PETS | {"splits": splits} | changes, count=None)


@pytest.fixture
def pets(tmp_path):
    write_folder(tmp_path / "there" / "pets")
    return tmp_path / "there" / "pets"


@pytest.fixture
def listed(pets):
    """A list beside the class folders, read under its name."""

    def make(text, name="list.txt", **changes):
        (pets / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(at(f"there/pets/{name}", **changes), pets.parents[1])

    return make


def test_a_path_is_below_the_data_root_or_absolute(tmp_path, pets):
    below, whole = read(at("there/pets"), tmp_path), read(at(str(pets)), None)
    assert below.classes == ["cat", "dog"]
    assert below.origins == whole.origins
    assert np.array_equal(below.pixels, whole.pixels)


def test_parquet_files_are_read_in_the_order_named(tmp_path):
    write_parquet(tmp_path / "a" / "one.parquet", 4)
    write_parquet(tmp_path / "b.parquet", 2)
    found = read(at(["b.parquet", "a/one.parquet"]), tmp_path)
    assert [origin.split("[")[0] for origin in found.origins] == ["b.parquet"] * 2 + [
        "one.parquet"
    ] * 4
    assert len(read(at("b.parquet"), tmp_path)) == 2


LISTS = {
    "names.txt": TEXT,
    "windows.txt": b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n\r\n").encode(),
    "tabs.txt": TEXT.replace(" ", "\t"),
    "head.csv": "label,number,path\n" + "".join(
        f"{line.split()[1]},7,{line.split()[0]}\n" for line in TEXT.splitlines()
    ),
    "bare.csv": TEXT.replace(" ", ","),
    "semicolon.csv": "path,label,a;b\n" + TEXT.replace(" ", ",").replace("\n", ",;\n"),
    "quoted.csv": 'file_name,class\n' + "".join(
        '"{}","{}"\n'.format(*line.split()) for line in TEXT.splitlines()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_the_folder_that_it_lists(tmp_path, pets, listed, name):
    folder = read(at("there/pets"), tmp_path)
    found = listed(LISTS[name], name)
    assert (found.classes, found.origins) == (folder.classes, folder.origins)
    assert np.array_equal(found.labels, folder.labels)
    assert np.array_equal(found.pixels, folder.pixels)


@pytest.mark.parametrize(
    ("labels", "stated", "classes", "wanted"),
    [
        ("01", 2, ["0", "1"], [0, 1]),
        ("12", 2, ["1", "2"], [0, 1]),  # as some count from 1
        ("02", 3, ["0", "1", "2"], [0, 2]),  # none of one class
        ("20", None, ["0", "2"], [1, 0]),
    ],
)
def test_classes_by_number(listed, labels, stated, classes, wanted):
    changes = {} if stated is None else {"classes": stated}
    dataset = {key: value for key, value in PETS.items() if key != "classes"} | changes
    text = "".join(f"cat/{i}.png {label}\n" for i, label in enumerate(labels))
    found = listed(text, classes=dataset.get("classes"))
    assert found.classes == classes
    assert found.labels.tolist() == wanted


def test_numbers_of_a_list_get_the_names_that_they_stand_for(listed):
    """As OpenOOD's lists of ImageNet-200 number WordNet ids."""
    text = TEXT.replace("png cat", "png 1").replace("png dog", "png 0")
    found = listed(text, class_names=["n01", "n02"])
    assert found.classes == ["n01", "n02"]
    assert found.labels.tolist() == [1, 1, 1, 0, 0, 0]


def test_paths_and_class_names_may_have_blanks(pets, listed):
    (pets / "my cats").mkdir()
    for i in range(2):
        photographs(1)[0].save(pets / "my cats" / f"no {i}.png")
    found = listed("my cats/no 0.png great white\nmy cats/no 1.png small, grey\n")
    assert found.classes == ["great white", "small, grey"]
    assert found.origins == ["my cats/no 0.png", "my cats/no 1.png"]


@pytest.mark.parametrize("text", [TEXT.replace("cat\n", "-1\n").replace("dog\n", "-1\n"), TEXT])
def test_a_set_without_labels_needs_none(listed, text):
    found = listed(text, labelled=False)
    assert found.classes == []
    assert set(found.labels) == {-1}
    assert len(listed("cat/0.png\ncat/1.png\n", labelled=False)) == 2


WRONG = {
    "missing": (
        "cat/0.png cat\ncat/9.png cat\ndog/9.png dog\n",
        "line 2: there is no file .*cat/9.png .2 of 3",
    ),
    "empty": ("\n\n", "names no image"),
    "no-image": ("cat/0.png cat\nREADME dog\n", "line 2: 'README dog' names no image; a line is"),
    "mixed": ("cat/0.png cat\ndog/0.png\n", "line 2: dog/0.png has no label, and line 1 has one"),
    "mixed-late": (
        "cat/0.png\n\ndog/0.png dog\n",
        "line 3: dog/0.png has a label, and line 1 has none",
    ),
    "float": ("cat/0.png 0\ndog/0.png 1.0\n", r"line 2: the label '1\.0' is no whole number"),
    "kinds": (
        "cat/0.png 0\ndog/0.png dog\n",
        "line 2: the label 'dog' stands beside '0' in line 1",
    ),
    "below": (
        "cat/0.png 0\ndog/0.png -1\n",
        "line 2: dog/0.png has the label -1, and the data set is",
    ),
    "none": (
        "cat/0.png\ndog/0.png\n",
        "line 1: cat/0.png has no label, and the data set is labelled",
    ),
    "twice": (
        "cat/0.png cat\ndog/0.png dog\ncat/0.png dog\n",
        "line 3: cat/0.png stands in line 1 already",
    ),
    "twice-spelled": (
        "cat/0.png cat\ndog/0.png dog\n./cat//0.png dog\n",
        "line 3: ./cat//0.png stands in line 1 already as cat/0.png; name",
    ),
    "number-spelled": (
        "cat/0.png 1\ndog/0.png 2\ncat/1.png 01\n",
        "line 3: the label '01' stands beside '1' in line 1; write every number in one way",
    ),
    "several": ("cat/0.png 0 3\ndog/0.png 1 4\n", "line 1: '0 3' are several numbers"),
    "nul": ("cat/0.png\0", "holds NUL"),
    "bytes": (b"caf\xe9.png cat\n", "not UTF-8"),
    "number": (
        "cat/0.png cat\ndog/0.png dog\ndog/1.png cow\n",
        "3 classes, 'cat', 'cow', 'dog', and the cat",
    ),
}
TABLES = {
    "ragged": ("path,label\ncat/0.png,cat\ndog/0.png\n", "line 3: it has 1 fields where .* has 2"),
    "comma": ("cat/0.png,cat\na,b.png,dog\n", "line 2: it has 3 fields .*quote a path"),
    "quote": ('path,label\n"cat/0.png,cat\n', "line 2: unexpected end of data; correct"),
    "no-head": ("cat,cat/0.png\n", "line 1: 'cat, cat/0.png': name one column `path`"),
    "semicolons": (
        "label;path\ncat;cat/0.png\n",
        "line 1: 'label;path': its columns are separated by semicolons; write the list with commas",
    ),
    "quoted": ('"path";"label"\n"cat/0.png";"cat"\n', "line 1: .* separated by semicolons"),
    "tabs": ("\ncat/0.png\tcat\ndog/0.png\tdog\n", "line 1: .* separated by tabs"),
    "two": ("path,class,target\n", "line 1: 'path, class, target': name one column"),
    "empty": ("", "names no image"),
    "head-alone": ("path,label\n", "names no image"),
    "no-path": ("path,label\n,cat\n", "line 2: it names no image"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_bad_list_is_told_with_its_line(listed, name):
    text, message = WRONG[name]
    with pytest.raises(PenumbraError, match=rf"list\.txt.*{message}"):
        listed(text)


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_told_with_its_line(listed, name):
    text, message = TABLES[name]
    with pytest.raises(PenumbraError, match=rf"list\.csv.*{message}"):
        listed(text, "list.csv")


def test_an_image_is_named_once_below_the_list_or_absolute(pets, listed):
    with pytest.raises(PenumbraError, match=rf"line 2: {pets}/cat/0.png stands in line 1 already"):
        listed(f"cat/0.png cat\n{pets}/cat/0.png cat\n")


def test_numbers_with_zeros_before_are_classes(listed):
    assert listed("cat/0.png 01\ndog/0.png 02\n").classes == ["01", "02"]


def test_a_broken_image_of_a_list_is_named(pets, listed):
    (pets / "cat/0.png").write_bytes(b"")
    with pytest.raises(PenumbraError, match=rf"unreadable image {pets / 'cat/0.png'}: it is empty"):
        listed(TEXT)


def test_what_is_changed_of_a_list_is_in_the_digest(tmp_path, pets):
    file = pets / "list.txt"
    dataset = at("there/pets/list.txt")["dataset"]

    def digest():
        return listing(locate("pets", dataset, "train", tmp_path))

    digests = []
    for change in (
        lambda: file.write_text(TEXT),
        lambda: file.write_text(TEXT.replace("2.png dog", "2.png cat")),
        lambda: (pets / "cat/0.png").write_bytes(b"1"),
        lambda: (pets / "cat/0.png").unlink(),
        lambda: file.write_text(""),  # refused by who reads it, not here
    ):
        change()
        digests.append(digest())
    assert len(set(digests)) == len(digests)
    file.write_text(TEXT)
    before = digest()
    (pets / "other.png").write_bytes(b"1")
    assert digest() == before


@pytest.mark.parametrize("path", ["pets.zip", ["a.parquet", "b.txt"], ["a.txt", "b.txt"]])
def test_a_path_of_another_kind_is_told(tmp_path, path):
    for name in [path] if isinstance(path, str) else path:
        (tmp_path / name).write_bytes(b"1")
    with pytest.raises(PenumbraError, match=r"(zip|txt): it is no folder of images"):
        read(at(path), tmp_path)


def test_a_path_where_nothing_is(tmp_path):
    write_parquet(tmp_path / "a.parquet")
    with pytest.raises(PenumbraError, match=rf"There is no\n  {tmp_path}/b.parquet\nPut it there"):
        read(at(["a.parquet", "b.parquet"]), tmp_path)
    told = missing("pets", at("pets")["dataset"], "train", None)
    assert "no data root is set" in str(told)


def test_a_path_comes_before_the_layouts(tmp_path, pets):
    write_folder(tmp_path / "pets" / "train", classes=("cow", "hen"))
    assert read(at("there/pets"), tmp_path).classes == ["cat", "dog"]


@pytest.mark.parametrize("other", ["cafe\u0301", "caf\u00e9\u200b", "caf\u00e9 \u00a0noir"])
def test_class_names_that_look_alike_are_told(listed, other):
    first = "caf\u00e9" + " noir" * ("noir" in other)
    with pytest.raises(
        PenumbraError, match=r"list\.csv: the classes 'caf.*' and 'caf.*' look alike"
    ):
        listed(f"path,label\ncat/0.png,{first}\ndog/0.png,{other}\n", "list.csv")


def test_a_field_may_be_quoted_behind_a_blank(listed):
    table = listed('path, label\ncat/0.png, "cat, big"\ndog/0.png, dog\n', "list.csv")
    assert table.classes == ["cat, big", "dog"]


@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_a_pipe_in_the_place_of_a_list(tmp_path, pets, name):
    os.mkfifo(pets / name)
    with pytest.raises(PenumbraError, match=rf"{name}: is no file; put the list itself there"):
        read(at(f"there/pets/{name}"), tmp_path / "there" / "..")
