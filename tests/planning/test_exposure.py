"""Real outliers that a recipe trains on: they are there, fit, and are none of those tested."""

import json

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning import scorers
from penumbra.planning.behind import Asked, image_sets
from penumbra.planning.models import Models
from penumbra.planning.tables import Tables

MODEL = {"benchmark": "digits", "backbone": "resnet34", "recipe": "oe", "seed": "0"}
READING = {**MODEL, "input": "clean", "scorer": "msp"}


@pytest.fixture
def made(world):
    def with_images(name, image_sets=None):
        recipe = {"extends": "standard", "method": "oe", "oe": {"images": name, "outlier_batch": 8}}
        return world({"recipes": {"oe": recipe}, "image_sets": image_sets or {}})

    return with_images


def test_the_image_set_is_an_input_of_the_training(made):
    world = made("things")
    scorers.check(world, READING)
    assert Models(world).outliers(MODEL) == ["results/embedded/images/things.parquet"]
    spec = json.loads(Models(world).spec(MODEL))
    assert spec["config"]["outliers"] == {"images": "things"}
    assert "penumbra.training.pool" not in spec["roots"]
    cells = [cell for cell in Tables(world).of("badood_table01") if cell.row_label.startswith("OE")]
    assert cells[0].missing is None
    assert "things" in image_sets(world, Asked(cells, []))


@pytest.mark.parametrize(
    "name", ["textures", "digits-test", "six-digits-test", "letters", "odd-train", "digits-heldout"]
)
def test_what_is_id_or_tested_is_no_outlier(made, name):
    message = f"{name} is trained on as outliers, and may hold images of .*, an ID or tested set of"
    with pytest.raises(PenumbraError, match=message):
        scorers.check(made(name), READING)
    with pytest.raises(PenumbraError, match=message):
        Models(made(name)).outliers(MODEL)


def test_outliers_have_the_size_of_the_images(made):
    larger = {"large": {"dataset": "skimage-things", "split": "test", "size": 32}}
    with pytest.raises(
        PenumbraError, match="measure 32 pixels and digits-train 16; give large `si"
    ):
        scorers.check(made("large", larger), READING)
    with pytest.raises(PenumbraError, match="unknown image set 'thing'"):
        made("thing")
