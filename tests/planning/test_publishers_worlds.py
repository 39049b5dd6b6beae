"""The worlds of MIDOG++, SpaceNet-8 and adjacent OOD, planned where their data lie as published."""

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning import resources
from penumbra.planning.config import merge
from penumbra.planning.reported import printed
from penumbra.planning.tables import Tables
from penumbra.planning.yaml_files import load_yaml
from penumbra.reporting.tables.printed import Printed
from tests.conftest import Checkout
from tests.images.published import (
    write_cars,
    write_fer2013,
    write_food,
    write_midog,
    write_spacenet8,
)
from tests.planning.helpers import OVERLAYS, required


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A data root with five small data sets as their publishers have them."""
    root = tmp_path_factory.mktemp("published")
    write_midog(root / "midog")
    write_spacenet8(root / "spacenet8")
    write_fer2013(root / "fer2013/fer2013.csv")
    write_cars(root / "stanford_cars")
    write_food(root / "food-101", ("pie", "bread", "soup", "rice"))
    return root


@pytest.fixture
def laid(world, root, published):
    """A shipped world over those data."""

    def make(name, place=published):
        over, files = {}, [root / f"config/{file}.yaml" for file in OVERLAYS[name]]
        for file in files:
            over = merge(over, load_yaml(file))
        return world(over | {"data_root": str(place)}, files)

    return make


@pytest.mark.parametrize("name", sorted({*OVERLAYS} - {"embedded-full", "badood-variants"}))
def test_no_role_falls_through_to_the_embedded_digits(root, name):
    """A world says of each role which benchmark plays it, or null."""
    digits = load_yaml(root / "config/config.yaml")["roles"]
    stated = {}
    for file in OVERLAYS[name]:
        stated |= load_yaml(root / f"config/{file}.yaml").get("roles", {})
    assert {*stated} >= {role for role, benchmark in digits.items() if benchmark is not None}


@pytest.mark.parametrize("name", ["midog", "spacenet8", "midog-spacenet8", "adjacent"])
def test_nothing_is_missing_and_every_row_is_computed(laid, name):
    made = laid(name)
    required(made)
    for table in made.config["tables"]:
        for cell in Tables(made).of(table):
            unlabelled = cell.metric == "test_accuracy" and cell.row_label[:3] in ("Sim", "Rot")
            assert cell.files or unlabelled or cell.row_label == "CATEX (CLIP)", table


def test_data_of_which_nothing_is_there_are_missing(laid, tmp_path):
    """Not left out, as where a benchmark says so; then no column would be left."""
    made = laid("spacenet8", tmp_path)
    with pytest.raises(PenumbraError, match=r"spacenet8 .*, split flooded, is missing"):
        required(made)


def test_jobs_ask_for_as_many_images_as_there_are_about(laid):
    assert resources.images(laid("midog"), "midog-3") == 14726
    cars, food = (resources.images(laid("adjacent"), f"{name}-out") for name in ("cars", "food"))
    assert 8041 / 4 < cars < 8041
    assert 25 * 250 < food < 25250


def test_printed_numbers_stand_beside_those_of_the_papers_data(laid):
    for table, data in (
        ("uat_table07", {"MIDOG (1a-c)", "SpaceNet-8 (non-flooded)"}),
        ("uat_table15", {"MIDOG (1a-c)"}),
        ("uat_table16", {"SpaceNet-8 (non-flooded)"}),
        ("uat_table11", {"Faces", "Cars", "Food"}),
    ):
        made = laid("adjacent" if table == "uat_table11" else "midog-spacenet8")
        told = Printed(printed(made.reported(table)))
        cells = [cell.as_dict() for cell in Tables(made).of(table)]
        values = [told.of(cell)["reported"] for cell in cells]
        assert {cell["reported"]["id_dataset"] for cell in cells} == data
        beside = sum(value is not None for value in values)
        assert beside == sum(row["value"] != "" for row in printed(made.reported(table))), table


def test_the_planner_makes_the_images_of_both_domains(published, tmp_path):
    made = Checkout(tmp_path / "copy")
    files = [f"config/{name}.yaml" for name in OVERLAYS["midog-spacenet8"]]
    call = ("all_tables", "-n", "--configfile", *files, "--config", f"data_root={published}")
    planned = made.snakemake(*call).output
    for table in ("uat_table07", "uat_table15", "uat_table16"):
        assert f"/tables/{table}.parquet" in planned
    for image_set in ("midog-train", "midog-6b", "dry-test", "flooded"):
        assert f"/images/{image_set}.parquet" in planned
