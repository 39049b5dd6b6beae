"""Titles and captions of tables in every world: what was computed, and whose place it takes."""

import csv
import json
import re

import pytest

from penumbra.planning.tables import Tables
from tests.planning.helpers import OVERLAYS


def told(world, name):
    """Title and described benchmarks, as the table's job gets them."""
    config = json.loads(Tables(world).spec({"table": name}))["config"]
    return config["title"], config["benchmarks"]


PAPERS = re.compile(r"CIFAR-100?|Tiny-ImageNet|ImageNet(-\w+)?|MIDOG|SpaceNet-8|Syn-IS")


@pytest.mark.parametrize("name", ["embedded", *OVERLAYS])
def test_data_that_are_not_computed_are_named_only_as_those_whose_place_is_taken(world_of, name):
    world = world_of(name)
    for table in world.config["tables"]:
        title, benchmarks = told(world, table)
        labels = {entry["label"] for entry in benchmarks.values()}
        assert labels, table
        assert all(label in title for label in labels), table
        rest = title
        for label in sorted(labels, key=len, reverse=True):
            taken = rf"{re.escape(label)}(?: in the place of [^(,]*(?: \([^)]*\))?(?=, |\. ))?"
            rest = re.sub(taken, "", rest)
        assert not PAPERS.search(rest), title
        assert "in the place of" not in rest, title


@pytest.mark.parametrize("name", ["embedded", *OVERLAYS])
def test_the_networks_of_the_cells_are_named(world_of, name):
    world = world_of(name)
    for table in world.config["tables"]:
        title, _ = told(world, table)
        cells = [cell for cell in Tables(world).of(table) if cell.model and cell.files]
        for backbone in {cell.model["backbone"] for cell in cells}:
            assert world.backbone(backbone)["label"] in title, table


@pytest.mark.parametrize("name", ["embedded", *OVERLAYS])
def test_a_caption_lists_the_sets_of_its_own_table(world_of, name):
    world = world_of(name)
    for table in world.config["tables"]:
        _, benchmarks = told(world, table)
        shown = {(c.benchmark, s) for c in Tables(world).of(table) if c.files for s in c.sets}
        listed = {(used, label) for used, entry in benchmarks.items() for label, _ in entry["ood"]}
        assert listed == {(used, world.label(image_set)) for used, image_set in shown}, table


@pytest.mark.parametrize(
    ("world", "table", "start"),
    [
        ("embedded", "uat_table03", "Table 3. Digits 0–5 in the place of ImageNet, ResNet-50. "),
        ("embedded", "uat_table14", "Table 14. Digits 0–5 in the place of ImageNet, ResNet-50. "),
        ("embedded", "uat_table15", "Table 15. Digits 0–5 in the place of MIDOG (1a-c), ResNet"),
        ("embedded", "uat_table16", "Table 16. Digits 0–5 in the place of SpaceNet-8 (non-flood"),
        ("cifar", "uat_table01", "Table 1. CIFAR-10, ResNet-18. "),
        ("imagenet1k", "uat_table14", "Table 14. ImageNet, ResNet-50. "),
        ("imagenet1k", "uat_table21", "Table 21. ImageNet, ResNet-50. "),
        ("cifar-jpeg", "uat_table01", "Table 1. CIFAR-10 as JPEG in the place of CIFAR-10, R"),
    ],
)
def test_titles_begin_with_what_was_computed(world_of, world, table, start):
    assert told(world_of(world), table)[0].startswith(f"uat, {start}")


def test_a_missing_set_is_told_by_the_tables_that_would_show_it(world_of, tmp_path):
    """With no data at hand: one group's sets are not missing from the tables of another."""
    far = {"far": ["textures", "svhn"], "near": ["four-digits"]}
    over = {
        "image_sets": {"svhn": {"dataset": "svhn", "split": "test", "label": "SVHN"}},
        "benchmarks": {"six-digits": {"ood": far, "missing": "omit"}},
        "data_root": str(tmp_path),
    }
    world = world_of("embedded", over)
    assert told(world, "uat_table20")[1]["six-digits"]["absent"] == ["SVHN"]
    assert told(world, "uat_table10")[1]["six-digits"]["absent"] == []


def test_tables_of_ones_own_stand_in_no_place(world_of, tmp_path):
    (tmp_path / "tables").mkdir()
    text = "like: uat_table03\ntitle: All scorers on our data. A draft\n"
    (tmp_path / "tables/mine.yaml").write_text(text)
    (tmp_path / "own.yaml").write_text("tables: [mine]\n")
    world = world_of("embedded", {"tables": ["mine"]}, [tmp_path / "own.yaml"])
    assert told(world, "mine")[0] == "Digits 0–5, ResNet-50. All scorers on our data. A draft"


def test_roles_stand_for_what_the_papers_tables_print(world_of, root):
    """The data of each printed table are those that its roles stand for."""
    world = world_of("embedded")
    for table in world.config["tables"]:
        if world.reported(table) is None:
            continue
        with open(world.reported(table), newline="", encoding="utf-8") as lines:
            printed = {row["id_dataset"] for row in csv.DictReader(lines)}
        roles = {cell.role for cell in Tables(world).of(table) if cell.files}
        found = {world.stands_for(role) for role in roles}
        found = {name.removesuffix(" under models of ImageNet-100") for name in found}
        assert found <= printed, table
