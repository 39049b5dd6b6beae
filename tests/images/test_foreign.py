"""Parquet files as others write them: read where it is plain what is meant, else refused."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penumbra.errors import PenumbraError
from tests.images.helpers import PETS, photographs, read, spec, write_parquet

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
LABELS = [0, 1, 0, 1, 0, 1]


def packed():
    found = []
    for image in photographs(6):
        text = io.BytesIO()
        image.save(text, "JPEG")
        found.append(text.getvalue())
    return found


def write(root, columns, name="train.parquet", **metadata):
    file = root / "pets" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), file, row_group_size=4)
    return file


@pytest.fixture
def expected(tmp_path):
    write_parquet(tmp_path / "as_usual" / "pets" / "train.parquet")
    return read(spec(), tmp_path / "as_usual")


def structs(texts):
    return pa.array([{"bytes": text, "path": None} for text in texts], STRUCT)


def bare(texts):
    return pa.array([{"bytes": text} for text in texts], pa.struct([("bytes", pa.large_binary())]))


def in_lists(texts):
    return pa.array([[row] for row in structs(texts).to_pylist()], pa.list_(STRUCT))


FORMS = {
    "struct": structs,
    "path of no type": lambda texts: pa.array([{"bytes": t, "path": None} for t in texts]),
    "without path": bare,
    "bytes": lambda texts: pa.array(texts, pa.binary()),
    "large": lambda texts: pa.array(texts, pa.large_binary()),
    "view": lambda texts: pa.array(texts, pa.binary_view()),
    "dictionary": lambda texts: pa.array(texts, pa.binary()).dictionary_encode(),
    "list of structs": in_lists,
    "list of bytes": lambda texts: pa.array([[text] for text in texts], pa.list_(pa.binary())),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["image", "img", "jpg"])
def test_images_under_a_plain_name_and_form(tmp_path, expected, form, name):
    write(tmp_path, {"id": pa.array(range(6)), name: FORMS[form](packed()), "label": LABELS})
    found = read(spec(), tmp_path)
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.labels.tolist() == LABELS
    assert found.origins[5] == "train.parquet[5]"


def test_among_several_columns_of_bytes_the_name_decides(tmp_path, expected):
    images = structs(packed())
    write(tmp_path, {"thumbnail": images.take(pa.array([0] * 6)), "image": images, "label": LABELS})
    assert np.array_equal(read(spec(), tmp_path).pixels, expected.pixels)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"left": "b", "right": "b"}, r"several columns hold encoded images.*left \(binary\), rig"),
        ({"image": "s"}, r"no column holds encoded images; .*image \(string\), label \(int64\)"),
        ({"pixels": "l"}, r"no column holds encoded images; .*pixels \(list<.*uint8>\)"),
    ],
)
def test_columns_are_named_where_none_is_plain(tmp_path, columns, message):
    forms = {"b": packed(), "s": [f"{i}.jpg" for i in range(6)], "l": pa.array([[1]] * 6)}
    forms["l"] = forms["l"].cast(pa.list_(pa.uint8()))
    file = write(tmp_path, {**{k: forms[v] for k, v in columns.items()}, "label": LABELS})
    with pytest.raises(PenumbraError, match=f"{file}: {message}"):
        read(spec(), tmp_path)


def test_two_columns_of_one_name(tmp_path):
    file = tmp_path / "pets" / "train.parquet"
    file.parent.mkdir()
    names = ["image", "label", "label"]
    pq.write_table(pa.Table.from_arrays([pa.array(packed()), LABELS, LABELS], names), file)
    with pytest.raises(PenumbraError, match=f"{file}: two columns have one name"):
        read(spec(), tmp_path)


def test_a_list_of_two_images_is_named_by_row(tmp_path):
    texts = packed()
    rows = [[text] for text in texts[:3]] + [texts[:2], [], [texts[0]]]
    write(tmp_path, {"image": pa.array(rows, pa.list_(pa.binary())), "label": LABELS})
    with pytest.raises(PenumbraError, match=r"train\.parquet\[3\]: its row holds 2 images"):
        read(spec(), tmp_path)


@pytest.mark.parametrize("struct", [STRUCT, pa.struct([("path", pa.string())])])
def test_paths_without_bytes_are_named_with_the_mend(tmp_path, struct):
    rows = [{"path": f"{i}.jpg"} for i in range(6)]
    file = write(tmp_path, {"image": pa.array(rows, struct), "label": LABELS})
    message = rf"train\.parquet\[0\] 0\.jpg: its row has no bytes.*write the image itself.*{file}"
    with pytest.raises(PenumbraError, match=message):
        read(spec(), tmp_path)


@pytest.mark.parametrize("name", ["labels", "fine_label", "target", "Category"])
def test_labels_under_a_plain_name(tmp_path, name):
    write(tmp_path, {"image": packed(), name: LABELS, "coarse_label": [1] * 6})
    assert read(spec(), tmp_path).labels.tolist() == LABELS


@pytest.mark.parametrize("names", [("labels", "target"), ("number",), ()])
def test_columns_are_named_where_none_is_plainly_the_labels(tmp_path, names):
    file = write(tmp_path, {"image": packed(), **dict.fromkeys(names, LABELS)})
    with pytest.raises(PenumbraError, match=rf"{file}: .*labels; .*image \(binary\).*`label`"):
        read(spec(), tmp_path)
    found = read(spec(dataset=PETS | {"labelled": False}), tmp_path)
    assert set(found.labels.tolist()) == {-1}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0.5, 1, 0, 1], r"label `label` of row 2 is 0\.5, no whole number"),
        ([0, 1, float("nan"), 1, 0, 1], "of row 2 is nan"),
        ([0, 1, 0, None, 0, 1], "row 3 has no label"),
        ([0, 1, 0, 1, 0, 2], r"label 2 of train\.parquet\[5\] is out of range; .*2 classes"),
        ([[0], [1], [0], [1], [0], [1]], r"of the type list<\S+ int64>; one whole number"),
    ],
)
def test_labels_that_are_no_class(tmp_path, labels, message):
    write(tmp_path, {"image": packed(), "label": pa.array(labels)})
    with pytest.raises(PenumbraError, match=message):
        read(spec(), tmp_path)


def test_labels_without_names_balance_a_set_that_is_not_labelled(tmp_path):
    write(tmp_path, {"image": packed(), "label": LABELS})
    unlabelled = {k: v for k, v in PETS.items() if k != "classes"} | {"labelled": False}
    found = read(spec(dataset=unlabelled, share=[0, 0.67]), tmp_path)
    assert sorted(int(origin[14]) % 2 for origin in found.origins) == [0, 0, 1, 1]


@pytest.mark.parametrize("kind", [pa.float32(), pa.uint8(), pa.int16(), pa.bool_()])
def test_whole_labels_of_any_type(tmp_path, kind):
    write(tmp_path, {"image": packed(), "label": pa.array(LABELS).cast(kind)})
    assert read(spec(), tmp_path).labels.tolist() == LABELS


@pytest.mark.parametrize("coded", [False, True])
def test_labels_that_are_names(tmp_path, coded):
    labels = pa.array(["dog", "cat"] * 3)
    write(tmp_path, {"image": packed(), "label": labels.dictionary_encode() if coded else labels})
    found = read(spec(), tmp_path)
    assert found.classes == ["cat", "dog"]
    assert found.labels.tolist() == [1, 0] * 3
    write(tmp_path, {"image": packed(), "label": labels}, classes="cat,hen")
    with pytest.raises(PenumbraError, match=r"\[0\]: its label 'dog' is none of .* 'cat', 'hen'"):
        read(spec(), tmp_path)


def hub(names, label="label"):
    features = {"image": {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
    return json.dumps({"info": {"features": features}})


@pytest.mark.parametrize(
    ("metadata", "label"),
    [
        ({"huggingface": hub(["cat, tabby", "dog"])}, "label"),
        ({"huggingface": hub(["cat, tabby", "dog"], "fine_label")}, "fine_label"),
        ({"classes": json.dumps(["cat, tabby", "dog"])}, "label"),
        ({"classes": '["cat, tabby", "dog"]', "huggingface": hub(["cat, tabby", "dog"])}, "label"),
    ],
)
def test_class_names_of_the_file(tmp_path, metadata, label):
    write(tmp_path, {"image": packed(), label: LABELS}, **metadata)
    assert read(spec(), tmp_path).classes == ["cat, tabby", "dog"]
    only = read(spec(classes=["dog"]), tmp_path)
    assert (only.classes, only.labels.tolist()) == (["dog"], [0] * 3)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"classes": "cat,"}, "the name of class 1 is empty"),
        ({"classes": '["cat", 3]'}, "the name of class 1 is empty, 3"),
        ({"classes": "cat,cat"}, "several classes have the name 'cat'"),
        ({"classes": "cat\r\n,dog\r\n"}, r"'cat\\r\\n', holds a control character"),
        ({"huggingface": hub(["cat", "cat"])}, "several classes have the name 'cat'"),
        ({"classes": "cat,dog", "huggingface": hub(["dog", "cat"])}, "other class names in"),
        ({"classes": b"caf\xe9,dog"}, r"not UTF-8, 'caf\\xe9,dog'"),
        ({"huggingface": "{"}, "are no JSON"),
    ],
)
def test_class_names_that_cannot_be_meant(tmp_path, metadata, message):
    file = write(tmp_path, {"image": packed(), "label": LABELS}, **metadata)
    with pytest.raises(PenumbraError, match=f"{file}: .*{message}"):
        read(spec(), tmp_path)


def test_the_number_of_names_is_the_stated_one(tmp_path):
    write(tmp_path, {"image": packed(), "label": LABELS}, classes="cat,tabby,dog")
    with pytest.raises(PenumbraError, match=r"3 classes, 'cat', 'tabby', 'dog', and .* states 2"):
        read(spec(), tmp_path)


def test_a_path_that_is_not_utf8_is_named_readably(tmp_path):
    paths = pa.array([b"caf\xe9.jpg"] + [b"a.jpg"] * 5).view(pa.string())
    images = pa.StructArray.from_arrays([pa.array(packed()), paths], ["bytes", "path"])
    file = write(tmp_path, {"image": images, "label": LABELS})
    with pytest.raises(PenumbraError, match=rf"{file}: the path of row 0 is not UTF-8, 'caf\\xe9"):
        read(spec(), tmp_path)


NUMBERED = "train-{:05}-of-{:05}.parquet"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([NUMBERED.format(i, 3) for i in (0, 2)], r"1 of 3 .*train-00001-of-00003\.parquet; put"),
        ([NUMBERED.format(0, 11)], r"10 of 11 files are missing: train-00001-of-00011.*, …; put"),
        ([NUMBERED.format(0, 1), NUMBERED.format(0, 2)], "not of one set of numbered files"),
        ([NUMBERED.format(0, 1), "train-more.parquet"], "not of one set of numbered files"),
        ([NUMBERED.format(i, 2) for i in range(3)], "number 2 is beyond the 2 files"),
    ],
)
def test_numbered_files_that_are_no_whole(tmp_path, names, message):
    for name in names:
        write_parquet(tmp_path / "pets" / name)
    with pytest.raises(PenumbraError, match=f"{tmp_path / 'pets'}: .*{message}"):
        read(spec(), tmp_path)


def test_files_of_another_split_are_not_of_this_one(tmp_path):
    dataset = PETS | {"splits": {"train": {}, "train-more": {}}}
    for name in ("train-00000-of-00001", "train-more-00000-of-00001", "train-more"):
        write_parquet(tmp_path / "pets" / f"{name}.parquet")
    assert len(read(spec(dataset=dataset), tmp_path)) == 6


def test_files_whose_class_names_differ(tmp_path):
    first, second = (tmp_path / "pets" / NUMBERED.format(i, 2) for i in range(2))
    write_parquet(first, 3)
    write_parquet(second, 3, classes="dog,cat")
    message = f"{first} and {second}: .*other class names, 'cat', 'dog' and 'dog', 'cat'"
    with pytest.raises(PenumbraError, match=message):
        read(spec(), tmp_path)


def test_a_column_whose_name_is_not_utf8(tmp_path):
    file = write(tmp_path, {"image": packed(), "labexx": LABELS})
    file.write_bytes(file.read_bytes().replace(b"labexx", b"label\xf1"))
    with pytest.raises(PenumbraError, match=f"unreadable {file}: .*replace the file"):
        read(spec(), tmp_path)


@pytest.mark.parametrize("place", [0, 4, 200, -9])
def test_damaged_files_are_named(tmp_path, place):
    write_parquet(tmp_path / "pets" / "train.parquet")
    file = tmp_path / "pets" / "train.parquet"
    text = bytearray(file.read_bytes())
    text[place : place + 8 or None] = b"\xff" * 8
    file.write_bytes(text)
    with pytest.raises(PenumbraError, match=r"unreadable .*train\.parquet"):
        read(spec(), tmp_path)
