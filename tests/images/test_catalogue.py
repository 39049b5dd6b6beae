"""The catalogue of data sets and the class lists that it names."""

import re

import pytest

from penumbra.images.classes import class_list, resolved, word_list
from penumbra.images.layout import candidates
from penumbra.planning.config import Files, load_yaml
from penumbra.planning.validation import validate


@pytest.fixture(scope="module")
def lists(root):
    folder = root / "config/classes"
    return {file.stem: class_list(folder, file.stem) for file in folder.glob("*.txt")}


def test_entries_answer_the_schema_and_state_licence_and_source(root, catalogue):
    file = root / "config/datasets.yaml"
    validate(catalogue, load_yaml(root / "config/schemas/datasets.schema.yaml"), Files([file]))
    for name, entry in catalogue.items():
        assert entry["licence"], name
        assert entry["source"], name


def test_splits_state_counts(catalogue):
    """Unless they follow from another data set, or nobody prints them."""
    unprinted = {("imagenet100", "train"), ("imagenet200", "train")}
    cut = ("midog", "spacenet8")  # by annotations, as config says
    unprinted |= {(name, split) for name in cut for split in catalogue[name]["splits"]}
    for name, entry in catalogue.items():
        for split, about in entry["splits"].items():
            known = "count" in about or "fraction" in about
            assert known or "base" in entry or (name, split) in unprinted, (
                name,
                split,
            )


def test_names_in_entries_are_of_the_catalogue(root, catalogue):
    for name, entry in catalogue.items():
        if entry["reader"] == "shifted":
            assert set(entry["splits"]) <= set(catalogue[entry["base"]]["splits"])
            other = entry["other"]
            assert other["split"] in catalogue[other["dataset"]]["splits"]
            assert entry["size"] == catalogue[entry["base"]]["size"]
        if "classes_file" in entry:
            names = resolved(entry, root / "config/classes")["class_list"]
            assert len(names) == entry["classes"], name
        if "names_file" in entry:
            names = resolved(entry, root / "config/classes")["class_names"]
            assert len(names) == entry["classes"], name
        for by_split in (entry.get("official", {}).get(k, {}) for k in ("folders", "files")):
            assert set(by_split) <= set(entry["splits"]), name


def test_large_images_are_cropped(catalogue):
    from_web = {name for name, entry in catalogue.items() if entry["size"] == 224}
    cropped = {name for name, entry in catalogue.items() if entry.get("square") == "crop"}
    are_square = {"imagenette-mini", "midog", "spacenet8"}
    assert cropped == from_web - are_square


def test_synis_is_one_set_of_64_cells(catalogue, tmp_path):
    entry = catalogue["synis"]
    assert entry["classes"] == 64
    assert entry["splits"] == {"test": {"count": 64 * 5000}}
    assert ("official", tmp_path / "synis") in candidates("synis", entry, "test", tmp_path)


def test_imagenet100_lies_in_imagenets_folders_or_its_own(catalogue, tmp_path):
    places = candidates("imagenet100", catalogue["imagenet100"], "val", tmp_path)
    assert places[0] == ("official", tmp_path / "imagenet" / "val")
    assert ("folder", tmp_path / "imagenet100" / "val") in places


def test_every_class_of_imagenet_is_called_something(lists, root):
    words = word_list(root / "config/words", "imagenet")
    assert [*words] == lists["imagenet"]
    assert words["n02317335"] == "starfish"
    assert words["n03594945"] == "jeep"


def test_class_lists_are_those_of_the_papers(lists):
    sizes = {
        "imagenet": 1000,
        "imagenet100": 100,
        "imagenet_r_200": 200,
        "table7_random": 10,
        "table7_overlap": 10,
    }
    assert {name: len(names) for name, names in lists.items()} == sizes
    for names in lists.values():
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"n\d{8}", entry) for entry in names)
    hundred, renditions = set(lists["imagenet100"]), set(lists["imagenet_r_200"])
    assert len(hundred & renditions) == 44
    assert set(lists["table7_random"]) <= hundred & renditions
    assert set(lists["table7_overlap"]) <= hundred
    every = lists["imagenet"]
    assert every == sorted(every)
    assert hundred | renditions <= set(every)
    assert lists["imagenet_r_200"] == sorted(renditions)
