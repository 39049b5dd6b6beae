"""Data sets in layouts of their publishers: what is read of them, and what is refused."""

import gc
import json
import os

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import loadmat, savemat

from penumbra.errors import PenumbraError
from penumbra.images.cuts import Pictures
from penumbra.images.layout import listing, locate
from penumbra.images.published.fer2013 import USAGES
from tests.images.helpers import read, spec, write_parquet
from tests.images.published import (
    MITOTIC,
    PHOTOGRAPH,
    box,
    write_cars,
    write_fer2013,
    write_food,
    write_midog,
    write_spacenet8,
)


@pytest.fixture
def images(catalogue, tmp_path):
    """A split of a data set of the catalogue below tmp_path, with changes to its entry."""

    def make(name, split, size=50, count=None, classes=None, **options):
        entry = catalogue[name]
        official = entry["official"]
        official = official | {"options": official.get("options", {}) | options}
        entry = entry | {"official": official, "classes": classes or entry["classes"]}
        given = {"dataset_name": name, "dataset": entry, "split": split, "size": size}
        return read(spec(name=f"{name}-{split}", count=count, **given), tmp_path)

    return make


def refused(images, message, *arguments, **options):
    with pytest.raises(PenumbraError, match=message):
        images(*arguments, **options)


# MIDOG++


def test_patches_of_slides(images, tmp_path):
    write_midog(tmp_path / "midog")
    found = images("midog", "domain-2")
    assert found.classes == ["normal cells", "mitotic figure", "hard negative"]
    # The look-alike lies where the figure's box is moved to; a third hangs over the border.
    assert found.origins == ["201.tiff:75,55,50", "201.tiff:175,65,50", "201.tiff:275,65,50"]
    assert found.labels.tolist() == [1, 2, 0]
    slide = np.roll(PHOTOGRAPH, 7 * 201, 1)
    for origin, pixels in zip(found.origins, found.pixels, strict=True):
        x, y, _ = map(int, origin.split(":")[1].split(","))
        assert np.array_equal(pixels, slide[y : y + 50, x : x + 50].transpose(2, 0, 1))
    assert images("midog", "domain-2", classes=2, normal=False).labels.tolist() == [0, 1]
    assert images("midog", "domain-2", size=64, patch=64).origins[0] == "201.tiff:68,48,64"


def test_splits_of_slides_are_apart_and_of_every_scanner(images, tmp_path):
    write_midog(tmp_path / "midog", tuple(n + i for n in (1, 51, 101) for i in range(10)))
    slides = [
        {origin.split(":")[0] for origin in images("midog", split).origins}
        for split in ("train", "heldout", "test")
    ]
    assert [len(names) for names in slides] == [24, 3, 3]
    assert len(set.union(*slides)) == 30
    for names in slides:
        assert {int(name[:3]) // 50 for name in names} == {0, 1, 2}


@pytest.mark.parametrize(
    "tiff",
    [
        {},
        {"rowsperstrip": 16},
        {"tile": (64, 48), "compression": "zlib"},
        {"tile": (128, 128), "compression": "zlib", "predictor": True},
    ],
)
def test_slides_are_cut_alike_however_their_bytes_lie(tmp_path, tiff):
    """Against Pillow, which decodes the whole; also where only Pillow can decode them."""
    file, boxes = tmp_path / "001.tiff", [(0, 0, 50, 50), (37, 101, 137, 201), (462, 462, 512, 512)]
    tifffile.imwrite(file, PHOTOGRAPH, photometric="rgb", **tiff)
    lzw, alpha, grey = (tmp_path / f"{name}.tiff" for name in ("lzw", "alpha", "grey"))
    Image.fromarray(PHOTOGRAPH).save(lzw, compression="tiff_lzw")
    Image.fromarray(np.dstack([PHOTOGRAPH, PHOTOGRAPH[..., :1]])).save(alpha)
    tifffile.imwrite(grey, PHOTOGRAPH[..., 0], photometric="minisblack", **tiff)
    Image.fromarray(PHOTOGRAPH[:40, :60]).save(
        turned := tmp_path / "turned.tiff", tiffinfo={274: 6}
    )
    upright = np.rot90(PHOTOGRAPH[:40, :60], -1)
    pictures = Pictures()
    assert np.array_equal(pictures.cut(turned, (0, 0, 40, 60)), upright)
    assert np.asarray(pictures.cut(grey, (9, 7, 10, 30))).shape == (23, 1, 3)
    for left, top, right, bottom in boxes:
        for each in (file, lzw, alpha):
            found = np.asarray(pictures.cut(each, (left, top, right, bottom)))
            assert np.array_equal(found, PHOTOGRAPH[top:bottom, left:right]), each
        with pytest.raises(ValueError, match="reaches beyond its border"):
            pictures.cut(file, (500, 500, 550, 550))


@pytest.mark.parametrize("tiff", [{}, {"tile": (64, 48), "compression": "zlib"}])
def test_slides_that_were_cut_are_not_left_open(tmp_path, tiff):
    """No more of them than are kept, however many are cut before garbage is collected."""
    files = [tmp_path / f"{i}.tiff" for i in range(8)]
    for file in files:
        tifffile.imwrite(file, PHOTOGRAPH, photometric="rgb", **tiff)
    pictures = Pictures()
    gc.disable()
    try:
        for file in files:
            pictures.cut(file, (0, 0, 50, 50))
        held = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    finally:
        gc.enable()
    assert {file for file in held if file.startswith(str(tmp_path))} <= {*map(str, files[-2:])}


BAD_MIDOG = {
    "image": (lambda d: d["annotations"][0].update(image_id=77), "annotation 0: there is no image"),
    "category": (lambda d: d["annotations"][0].update(category_id=3), "category 3 is neither 1"),
    "field": (lambda d: d["annotations"][1].pop("bbox"), r"annotations\[1\] has no bbox"),
    "list": (lambda d: d.pop("annotations"), "no list `annotations`"),
    "text": (lambda d: d["annotations"][0].update(bbox="here"), "'here' is no box of four"),
    "sizes": (lambda d: d["annotations"][0].update(bbox=[400, 300, 50, 50]), "ends before it beg"),
    "huge": (lambda d: d["annotations"][0].update(bbox=[0, 0, 10**400, 1]), "is no box of four n"),
    "list of one": (
        lambda d: d["annotations"][0].update(image_id=[201]),
        r"annotations\[0\]\.image_id is \[201\] and no number",
    ),
    "outside": (lambda d: d["annotations"][0].update(bbox=box(600, 90)), "lies outside 201.tiff"),
    "none": (lambda d: d["annotations"].clear(), "no annotation of domain 2, slides 201 to 244"),
    "slide": (
        lambda d: (d["images"].pop(1), d["annotations"].clear()),
        r"202\.tiff: MIDOG\+\+\.json has no entry of it, so it is without annotations; put",
    ),
}


@pytest.mark.parametrize("case", BAD_MIDOG)
def test_annotations_that_do_not_fit_are_named(images, tmp_path, case):
    change, message = BAD_MIDOG[case]
    data = write_midog(tmp_path / "midog", (201, 202))
    change(data)
    (tmp_path / "midog/MIDOG++.json").write_text(json.dumps(data))
    refused(images, message, "midog", "domain-2")


def test_patches_that_no_slide_holds_are_told_by_their_size(images, tmp_path):
    write_midog(tmp_path / "midog", (201,))
    message = "a patch of 600 pixels around any of the 3 annotations hangs over"
    refused(images, message, "midog", "domain-2", patch=600)


def test_slides_that_are_not_there_or_damaged_are_named(images, tmp_path):
    write_midog(tmp_path / "midog", (201,))
    file = tmp_path / "midog/201.tiff"
    whole = file.read_bytes()
    file.write_bytes(b"nothing")
    refused(images, r"unreadable slide .*201\.tiff: .*; replace", "midog", "domain-2")
    file.write_bytes(whole[: len(whole) // 3])
    refused(
        images, r"unreadable image 201\.tiff:.*replace the file .*/201\.tiff", "midog", "domain-2"
    )
    file.unlink()
    refused(images, r"201\.tiff is missing, which MIDOG\+\+\.json lists", "midog", "domain-2")
    (tmp_path / "midog/MIDOG++.json").write_text("{")
    refused(images, r"MIDOG\+\+\.json: no JSON", "midog", "domain-2")
    (tmp_path / "midog/MIDOG++.json").unlink()
    refused(images, r"no \.json; put MIDOG\+\+\.json beside", "midog", "domain-2")


# SpaceNet-8

TABLE = "Germany_Training_Public_label_image_mapping.csv"
HEAD = "label,pre-event image,post-event image 1,post-event image 2"


def test_tiles_by_what_is_dry(images, tmp_path):
    write_spacenet8(tmp_path / "spacenet8")
    dry, wet = images("spacenet8", "train"), images("spacenet8", "flooded")
    assert dry.classes == wet.classes == ["Germany", "Louisiana-East"]
    names = {origin.split("/")[-1] for origin in wet.origins}
    assert names == {"b_0.tif", "b_3.tif", "b_6.tif", "b_9.tif", "c_0.tif"}
    assert not {*dry.origins} & {*wet.origins}
    tests = images("spacenet8", "test")
    assert not {o.rpartition("_")[2] for o in tests.origins if "Germany" in o} & {
        o.rpartition("_")[2] for o in dry.origins if "Germany" in o
    }
    after = images("spacenet8", "train", variant="post")
    assert {o.split("/")[1] for o in after.origins} == {"POST-event"}
    assert {*after.origins} < {*dry.origins}
    before = images("spacenet8", "train", variant="pre")
    assert {o.split("/")[1] for o in before.origins} == {"PRE-event"}
    assert len(before.origins) == 14
    assert len(images("spacenet8", "flooded", variant="pre").origins) == 2 * 13


def test_tiles_cut_into_a_grid(images, tmp_path):
    write_spacenet8(tmp_path / "spacenet8", 2)
    found = images("spacenet8", "flooded", size=32, grid=3)
    assert len(found) == 2 * 2 * 9  # 97 pixels: cells of 32 and 33
    assert found.origins[1].endswith("b_0.tif:32,0")
    assert np.array_equal(found.pixels[1], PHOTOGRAPH[:32, 32:64].transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "annotations/0.geojson",
            '{"features": [{"properties": {}}]}',
            "feature 0 has no property",
        ),
        ("annotations/0.geojson", "[]", "no GeoJSON"),
        (
            "annotations/0.geojson",
            '{"features": [{"properties": {"Flooded": "maybe"}}]}',
            "Flooded is 'maybe', neither yes nor no",
        ),
        ("annotations/0.geojson", None, r"mapping\.csv, line 2: there is no .*0\.geojson"),
        ("POST-event/b_1.tif", None, r"mapping\.csv, line 3: there is no .*b_1\.tif"),
        (TABLE, None, "no table"),
        (TABLE, "label,x\n", "no column post-event im"),
        (TABLE, f"{HEAD}\n", "it lists no tile; unpack"),
        (TABLE, f"{HEAD}\n0.geojson\n", "line 2: `pre-event image` names no file"),
        (TABLE, f"{HEAD},\udce8\n", r"mapping\.csv, line 1: 'utf-8' codec can't decode"),
    ],
)
def test_tiles_that_are_not_whole_are_named(images, tmp_path, file, text, message):
    write_spacenet8(tmp_path / "spacenet8", 2)
    path = tmp_path / "spacenet8/Germany_Training_Public" / file
    path.unlink() if text is None else path.write_bytes(text.encode(errors="surrogateescape"))
    refused(images, message, "spacenet8", "train")


# FER-2013


@pytest.mark.parametrize(
    ("file", "head"),
    [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")],
)
def test_faces_by_usage(images, tmp_path, file, head):
    write_fer2013(tmp_path / "fer2013" / file, head=head)
    for i, split in enumerate(("train", "val", "test")):
        found = images("fer2013", split, size=48)
        assert found.labels.tolist() == [*range(7)]
        assert found.classes[3] == "happy"
        face = PHOTOGRAPH[7 * i : 7 * i + 48, 14 * i : 14 * i + 48, 0]
        assert np.array_equal(found.pixels[0], np.stack([face] * 3))
    assert found.origins[0] == f"{file}, line 16"
    assert len(USAGES) == 3


def test_the_challenges_training_file_has_no_other_usage(images, tmp_path):
    write_fer2013(tmp_path / "fer2013/train.csv", head="emotion,pixels")
    assert len(images("fer2013", "train", size=48)) == 21
    refused(images, "without a column `Usage` all rows are of Training", "fer2013", "test", size=48)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n0,", "\n0,7 ", r"line 2: it has 2305 pixels, and a face has 48×48 = 2304"),
        ("\n0,", "\n0,x", "line 2: its pixels are no whole numbers"),
        ("\n1,", "\n1,1", r"line 3: .* not within 0 and 255"),
        ("\n6,", "\n7,", "line 8: emotion '7' is none of 0 to 6"),
        ("Training", "Trainig", "line 2: usage 'Trainig' is none of"),
        ("emotion", "mood", "no column `emotion` in 'mood, pixels, Usage'"),
        ("\n0,", "\n0\n0,", "line 2: it has 1 fields"),
    ],
)
def test_faces_that_are_not_whole_are_named(images, tmp_path, old, new, message):
    file = tmp_path / "fer2013/fer2013.csv"
    write_fer2013(file)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    refused(images, message, "fer2013", "train", size=48)


# Stanford Cars


def test_cars_with_their_names(images, tmp_path):
    write_cars(tmp_path / "stanford_cars")
    for split in ("train", "test"):
        found = images("stanford-cars", split, classes=8)
        assert found.classes[1] == "Make 1 C/V 2012"
        assert found.labels.tolist() == [*range(8)] * 2
        assert found.origins[0] == f"cars_{split}/00001.jpg"


def test_annotations_of_another_kind_are_named(images, tmp_path):
    place = tmp_path / "stanford_cars"
    write_cars(place)
    annotations = place / "devkit/cars_train_annos.mat"
    whole = loadmat(annotations)["annotations"]

    def against(message):
        refused(images, message, "stanford-cars", "train", classes=8)

    (place / "cars_train/00003.jpg").rename(place / "gone.jpg")
    against(r"cars_train_annos\.mat, annotation 3: there is no .*00003\.jpg")
    only = np.empty(whole.shape, [("class", object)])
    only["class"] = whole["class"]
    savemat(annotations, {"annotations": only})
    against("its annotations have no field `fname`, but class; ")
    savemat(annotations, {"other": whole})
    against("it has no variable `annotations`, but other; take")
    whole["class"][0, 0] = 9
    savemat(annotations, {"annotations": whole})
    against("annotation 1: class 9 is none of 1 to 8")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    annotations.write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    against(r"cars_train_annos\.mat: it is of MATLAB 7\.3, .*save it again with -v7")
    annotations.write_bytes(b"nothing")
    against(r"no \.mat file that can be read")
    annotations.unlink()
    against(r"there is no .*cars_train_annos\.mat; unpack the devkit")
    (place / "cars_test_annos_withlabels.mat").unlink()
    refused(images, "labels of the test images are a download", "stanford-cars", "test", classes=8)


# Food-101


@pytest.mark.parametrize("kind", ["txt", "json"])
def test_dishes_of_the_lists(images, tmp_path, kind):
    write_food(tmp_path / "food-101", ("pie", "bread"))
    for other in {"txt", "json"} - {kind}:
        for split in ("train", "test"):
            (tmp_path / f"food-101/meta/{split}.{other}").unlink()
    train, test = (images("food101", split, classes=2) for split in ("train", "test"))
    assert train.classes == test.classes == ["bread", "pie"]
    assert train.origins == ["pie/1.jpg", "pie/2.jpg", "bread/3.jpg", "bread/4.jpg"]
    assert train.labels.tolist() == [1, 1, 0, 0]
    assert not {*train.origins} & {*test.origins}


def test_lists_that_do_not_fit_are_named(images, tmp_path):
    place = tmp_path / "food-101"
    write_food(place, ("pie", "bread"))

    def against(message):
        refused(images, message, "food101", "train", classes=2)

    (place / "images/pie/2.jpg").unlink()
    against(r"train\.txt, line 2: there is no .*pie/2\.jpg; unpack")
    (place / "meta/train.txt").write_text("pie\n")
    against(r"train\.txt, line 1: 'pie' is no `class/number`")
    (place / "meta/train.txt").unlink()
    (place / "meta/train.json").write_text("[1")
    against(r"train\.json: no JSON of lists")
    (place / "meta/train.json").unlink()
    against(r"there is no .*train\.txt and no .*train\.json")


# All


@pytest.mark.parametrize("name", ["midog", "spacenet8", "fer2013", "stanford-cars", "food101"])
def test_they_may_lie_as_parquet_or_folders(images, catalogue, tmp_path, name):
    entry = catalogue[name]
    split = next(iter(entry["splits"]))
    assert locate(name, entry, split, tmp_path) is None
    write_parquet(tmp_path / entry.get("folder", name) / f"{split}.parquet")
    assert locate(name, entry, split, tmp_path).layout == "parquet"
    assert images(name, split, classes=2).classes == ["cat", "dog"]


def test_a_change_of_annotations_is_seen(catalogue, tmp_path):
    data = write_midog(tmp_path / "midog", (201,))
    location = locate("midog", catalogue["midog"], "domain-2", tmp_path)
    before = listing(location)
    data["annotations"][0]["category_id"] = MITOTIC + 10
    (tmp_path / "midog/MIDOG++.json").write_text(json.dumps(data))
    assert listing(location) != before
