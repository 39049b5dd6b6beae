"""Printed numbers stand beside computed ones about the same data, and beside no others."""

import json

import pytest

from penumbra.planning.reported import AVERAGES, CONTRADICTIONS, printed
from penumbra.planning.tables import Tables
from penumbra.reporting.tables.printed import Printed
from tests.planning.helpers import OVERLAYS

SIX = ("SVHN", "Textures", "LSUN-C", "LSUN-R", "iSUN", "Places365")


def beside(world, table):
    """By (row, column, metric) the printed value that stands beside."""
    file = world.reported(table)
    config = json.loads(Tables(world).spec({"table": table}))["config"]
    told = Printed(printed(file), config["contradictions"])
    found = {(c["row_label"], c["column_label"], c["metric"]): told.of(c) for c in config["cells"]}
    return {key: value["reported"] for key, value in found.items() if value["reported"]}


@pytest.mark.parametrize("name", ["embedded", "embedded-full", "tiny-imagenet"])
def test_no_printed_number_stands_beside_other_data(world_of, name):
    world = world_of(name)
    for table in world.config["tables"]:
        assert world.reported(table) is None or beside(world, table) == {}, table


def test_numbers_of_the_papers_data_stand_beside(world_of):
    found = beside(world_of("cifar"), "uat_table01")
    assert found["FN", "SVHN", "fpr95"] == "7.13"
    assert found["FN", "Average", "fpr95"] == "25.67"
    assert found["UAT + CCFN", "Average", "fpr95"] == "12.21"


def test_the_numbers_of_imagenet_stand_beside(world_of):
    world = world_of("imagenet1k")
    assert beside(world, "uat_table03")["UAT + CCFN", "OpenImage-O", "fpr95"] == "85.77"
    assert beside(world, "uat_table03")["FN", "Average", "auroc"] == "82.27"
    assert beside(world, "uat_table21")["UAT", "Places", "fpr95"] == "44.94"
    assert beside(world, "uat_table21")["UAT + CCFN", "Textures", "fpr95"] == "85.77"
    assert beside(world, "uat_table21")["UAT + CCFN", "Average", "auroc"] == "84.39"
    times = beside(world, "uat_table14")
    assert times["UAT, CCFN", "", "train_seconds"] == "97800"
    assert times["Standard, FN", "", "latency"] == "0.0123"


def test_an_average_of_other_sets_has_no_printed_one_beside(world_of):
    """One of six sets less, or one in the place of another: the columns of the others stay."""
    for far in (
        ["svhn", "textures"],
        ["svhn", "textures", "lsun-crop", "lsun-resize", "isun", "cifar100-test"],
    ):
        found = beside(
            world_of("cifar", {"benchmarks": {"cifar10": {"ood": {"far": far}}}}), "uat_table01"
        )
        assert {column for _, column, _ in found} == {*SIX[: len(far)]} - {"Places365"}
    assert (
        beside(world_of("cifar", {"benchmarks": {"cifar10": {"ood": {"far": far}}}}), "uat_table04")
        == {}
    )


def test_jpeg_copies_have_the_numbers_of_the_sets_that_are_whole(world_of):
    world = world_of(
        "cifar-jpeg", {"benchmarks": {"cifar10": {"ood": {"far": ["svhn", "textures", "isun"]}}}}
    )
    columns = {column for _, column, _ in beside(world, "uat_table01")}
    assert columns == {"iSUN"}
    assert beside(world, "uat_table04") == {}


# Cut as the paper that is compared with cuts it, and a set that lacks one file. Sets of 960
# images are one reading of what badood's Table 1 is over.
CUT_AND_PRINTED = {("cifar100", "svhn"), ("cifar-jpeg", "cifar100-test")}


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_printed_number_stands_beside_a_set_that_is_cut(world_of, name):
    made = world_of(name)
    for image_set, entry in made.config["image_sets"].items():
        if entry.get("reported") is None or (name, image_set) in CUT_AND_PRINTED:
            continue
        if image_set.endswith("-960"):
            continue
        published = made.datasets[entry["dataset"]]["splits"][entry["split"]].get("count")
        assert "limit" not in entry, image_set
        assert entry.get("count", published) == published, image_set


def test_each_paper_brings_textures_and_places_to_32_pixels_in_its_way(world_of):
    for name, way in (("cifar100", "centre"), ("cifar", None)):
        datasets = world_of(name).datasets
        assert [datasets[d].get("square") for d in ("textures", "places365")] == [way, way]


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_a_benchmark_is_called_is_what_some_table_prints(world_of, root, name):
    known = {
        row["id_dataset"]
        for file in (root / "config/reported").glob("*_table*.csv")
        for row in printed(file)
    }
    for benchmark in world_of(name).config["benchmarks"].values():
        assert benchmark.get("reported") in {None, *known}


@pytest.mark.parametrize("file", [AVERAGES, CONTRADICTIONS])
def test_what_is_said_of_printed_numbers_is_of_some(root, file):
    folder = root / "config/reported"
    rows = printed(folder / file)
    assert rows
    for row in rows:
        keys = {
            k: v for k, v in row.items() if v and k not in ("paper", "where", "note", "image_sets")
        }
        if keys:
            numbers = printed(folder / f"{row['table']}.csv")
            assert [n for n in numbers if keys.items() <= n.items()], row


def test_an_average_is_over_sets_that_the_table_prints(root):
    """Where a table prints its sets one by one; others print the average alone."""
    folder = root / "config/reported"
    for row in printed(folder / AVERAGES):
        there = {
            n["ood_dataset"]
            for n in printed(folder / f"{row['table']}.csv")
            if n["id_dataset"] == row["id_dataset"]
        }
        single = {name for name in there if name and not name.startswith("average")}
        assert not single or {*row["image_sets"].split("; ")} <= single, row


def test_a_contradiction_marks_the_cells_that_it_names(world_of):
    """uat, Table 18: the average of EN+ReAct is printed with FPR95 and AUROC exchanged."""
    world = world_of("cifar")
    config = json.loads(Tables(world).spec({"table": "uat_table18"}))["config"]
    told = Printed(printed(world.reported("uat_table18")), config["contradictions"])
    marked = {
        (c["row_label"], c["column_label"]) for c in config["cells"] if told.of(c)["contradictions"]
    }
    assert ("EN+ReAct", "Average") in marked
    assert ("FN", "SVHN") not in marked


def test_parts_and_readings_of_a_table_show_its_numbers(world_of):
    """Table 1's lower half, and Table 1 on as many images as the paper tested."""
    lower = beside(world_of("cifar100"), "badood_table01_second")
    assert lower["Bad-OOD", "SVHN (1,000 a digit)", "fpr95"] == "54.90"
    assert not any(column == "Average" for _, column, _ in lower)  # it prints none there
    world = world_of("imagenet")
    fewer, whole = (beside(world, f"badood_table01{name}") for name in ("_960", ""))
    assert fewer["MSP", "SUN (960)", "auroc"] == whole["MSP", "SUN", "auroc"] == "90.86"
    assert fewer["MSP", "Average", "fpr95"] == whole["MSP", "Average", "fpr95"] == "48.08"
    assert whole["Bad-OOD (ResNetv2-101)", "Average", "fpr95"]
    assert ("Bad-OOD (ResNet-101)", "Average", "fpr95") not in whole
    table = json.loads(Tables(world).spec({"table": "badood_table01_960"}))["config"]
    assert any("GODIN" in each["note"] for each in table["contradictions"])
