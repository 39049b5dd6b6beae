"""Data sets in layouts of their publishers: options, overlaps and reruns, told while planning."""

import copy
import json

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning.images import Images
from penumbra.planning.overlap import common


def entry(name, **changes):
    return {"datasets": {name: changes}}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (
            entry("midog", official={"options": {"patch": 4}}),
            r"midog\.official\.options\.patch: 4 is not at least 8",
        ),
        (
            entry("midog", splits={"test": {"options": {"share": [0.9, 0.1]}}}),
            r"midog\.splits\.test\.options\.share: \[0\.9, 0\.1\] is not in rising order",
        ),
        (
            entry("midog", splits={"test": {"options": {"domains": ["8"]}}}),
            r"midog\.splits\.test\.options\.domains\.0: unknown 0 '8'",
        ),
        (entry("midog", splits={"own": {}}), r"midog\.splits\.own.*no domains"),
        (
            entry("spacenet8", official={"options": {"grids": 4}}),
            "unknown key 'spacenet8.official.options.grids'; did you mean .*grid'",
        ),
        (
            entry("spacenet8", official={"options": {"variant": "c"}}),
            r"variant: unknown variant 'c'; .*valid: both, post, pre",
        ),
        (entry("fer2013", official={"reads": "fer2014"}), "'fer2014'; did you mean 'fer2013'"),
        (entry("svhn", official={"options": {"x": 1}}), "'reads' is a dependency of 'options'"),
    ],
)
def test_their_options_are_held_against_what_the_reader_states(world, over, message):
    with pytest.raises(PenumbraError, match=message):
        world(over)


def sets(*splits, dataset="midog"):
    return {"image_sets": {f"s{i}": {"dataset": dataset, "split": s} for i, s in enumerate(splits)}}


@pytest.mark.parametrize(
    ("dataset", "one", "other", "meet"),
    [
        ("midog", "train", "test", False),
        ("midog", "train", "domain-2", False),
        ("midog", "domain-6a", "domain-6b", False),
        ("midog", "train", "all", True),
        ("spacenet8", "train", "flooded", False),
        ("spacenet8", "heldout", "test", False),
        ("fer2013", "train", "test", False),
        ("food101", "train", "test", False),
    ],
)
def test_splits_are_apart_by_their_options(world, dataset, one, other, meet):
    more = {"all": {"options": {"domains": ["1c", "2"]}}}
    over = sets(one, other, dataset=dataset) | entry("midog", splits=more)
    assert common(world(over), "s0", "s1") is meet


def test_two_readings_of_one_data_set_may_share_images(world, config):
    made = world()
    other = copy.deepcopy(made.catalogue["spacenet8"])
    other["official"]["options"]["variant"] = "pre"
    over = {"datasets": {"before": other}, "image_sets": {
        "s0": {"dataset": "spacenet8", "split": "train"},
        "s1": {"dataset": "before", "split": "flooded"},
        "s2": {"dataset": "before", "split": "test"},
    }}  # fmt: skip
    made = world(over)
    assert common(made, "s0", "s1")  # what is taken after, and dry
    assert not common(made, "s0", "s2")  # tiles are drawn alike


def test_an_image_set_is_made_anew_where_its_own_reading_changes(world):
    def spec(**changes):
        made = world(sets("train") | entry("midog", **changes))
        return json.loads(Images(made).spec({"image_set": "s0"}))

    before = spec()
    assert spec(splits={"test": {"options": {"share": [0.95, 1.0]}}}) == before
    assert spec(splits={"train": {"options": {"share": [0.0, 0.7]}}}) != before
    assert spec(official={"options": {"patch": 64}}) != before


def test_of_named_classes_only_their_folders_are_listed(world, tmp_path):
    """Unless all images are to be counted; classes by number name no folder."""
    base = {"dataset": "imagenet", "split": "val"}
    named = {**base, "classes": ["n01440764", "n01443537"]}
    over = {"data_root": str(tmp_path), "image_sets": {
        "s0": named, "s1": {**named, "count": 3}, "s2": {**base, "classes": [0, 1]},
    }}  # fmt: skip
    for name in ("n01440764", "n01443537", "n01484850"):
        (tmp_path / "imagenet/val" / name).mkdir(parents=True)
        (tmp_path / "imagenet/val" / name / "0.png").write_bytes(b"0")

    def specs():
        images = Images(world(over))
        return [json.loads(images.spec({"image_set": f"s{i}"}))["config"] for i in range(3)]

    before = specs()
    assert [spec["folders"] for spec in before] == [named["classes"], None, None]
    (tmp_path / "imagenet/val/n01484850/0.png").write_bytes(b"other")
    changed = [a != b for a, b in zip(before, specs(), strict=True)]
    assert changed == [False, True, True]


def halves(one, other, dataset="digits"):
    base = {"dataset": dataset, "split": "test"}
    return {"image_sets": {"s0": {**base, **one}, "s1": {**base, **other}}}


def drawn(side, **more):
    return {"class_split": {"side": side, **more}}


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (drawn("id"), drawn("ood"), False),
        (drawn("id"), drawn("id"), True),
        (drawn("id", share=0.25, draw=0), drawn("ood"), False),
        (drawn("id"), drawn("ood", draw=1), True),
        (drawn("id", share=0.3), drawn("ood"), True),
        (drawn("id"), {}, True),
        (drawn("id") | {"classes": [0, 1, 2, 3, 4, 5]}, drawn("ood"), True),
    ],
)
def test_sides_of_one_draw_of_classes_are_apart(world, one, other, meet):
    assert common(world(halves(one, other)), "s0", "s1") is meet


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"side": "in"}, r"s0\.class_split\.side: unknown side 'in'; did you mean 'id'"),
        ({}, r"s0\.class_split: no side; there is no default"),
        ({"side": "id", "share": 1}, r"class_split\.share: 1 is not in \(0, 1\)"),
        ({"side": "id", "draw": -1}, r"class_split\.draw: -1 is not at least 0"),
        ({"side": "id", "share": 0.04}, "of 10 classes a share of 0.04 holds out 0; choose"),
    ],
)
def test_splits_of_classes_are_checked(world, split, message):
    with pytest.raises(PenumbraError, match=message) as error:
        world(halves({"class_split": split}, {}))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (drawn("id", draw=1), "test: eight-test and eight-train draw classes of digits apart"),
        (drawn("id", share=0.3), "test: eight-test and eight-train draw classes of digits apart"),
        (drawn("ood"), "test: eight-test is on the side `ood` .*, and eight-train on `id`; ID"),
    ],
)
def test_the_image_sets_of_a_benchmark_split_classes_alike(world, changed, message):
    """Else classes that models were trained on were tested as OOD."""
    split = {"share": 0.25, "draw": 0} | changed["class_split"]
    with pytest.raises(PenumbraError, match=rf"benchmarks\.eight-digits\.{message}"):
        world({"image_sets": {"eight-test": {"class_split": split}}})
    swapped = {"image_sets": {"two-digits": {"class_split": {"side": "id"}}}}
    with pytest.raises(PenumbraError, match=r"near: two-digits is on the side `id`"):
        world(swapped)


def test_classes_without_labels_cannot_be_split(world):
    with pytest.raises(PenumbraError, match="skimage-letters is not labelled"):
        world(halves(drawn("id"), {}, "skimage-letters"))
