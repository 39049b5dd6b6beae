"""What paper badood's tables are about: their outliers, classes, filters and judges."""

import json

import pytest

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.planning.cells import UNFILTERED
from penumbra.planning.figures import Figures
from penumbra.planning.outlier_training import detector
from penumbra.planning.parts import outlier_set, part
from penumbra.planning.requirements import require_figure
from penumbra.planning.resources import images, outliers
from penumbra.planning.tables import Tables


def spec(world, table):
    return json.loads(Tables(world).spec({"table": table}))["config"]


@pytest.mark.parametrize("name", ["embedded", "embedded-full", "tiny-imagenet", "imagenet"])
def test_judges_did_not_train_on_what_they_score(world_of, name):
    """But for the recipe that says so, which is a row of Tables 1 and 2."""
    world = world_of(name)
    for recipe in world.config["recipes"]:
        chosen = detector(world, recipe) or {}
        folds = [detector(world, judge)["fold"] for judge in chosen.get("judges") or []]
        if recipe == "bad-ood-in-sample":
            assert folds == [None]
        elif folds:
            assert sorted(folds) == [[0, 2], [1, 2]], recipe
    for table in ("badood_table01", "badood_table02"):
        rows = {cell.model["recipe"] for cell in Tables(world).of(table) if cell.model}
        assert {"bad-ood", "bad-ood-in-sample"} <= rows


@pytest.mark.parametrize("table", ["badood_table02", "badood_table05", "badood_table06"])
def test_kept_outliers_are_columns(world_of, table):
    cells = Tables(world_of("imagenet")).of(table)
    kept = [cell for cell in cells if cell.metric in ("kept_count", "kept_share")]
    assert kept
    for cell in kept:
        assert all("/selections/" in file for file in cell.files)
        assert cell.files or cell.missing == UNFILTERED


def test_an_imbalanced_pool_has_as_many_outliers_as_images(world_of):
    world = world_of("imagenet")
    recipes = {cell.model["recipe"] for cell in Tables(world).of("badood_table08") if cell.model}
    sets = {outlier_set(world, detector(world, recipe)["set"])["per_class"] for recipe in recipes}
    assert sets == {None}
    # The row of Dream-OOD is left out where Stable Diffusion is not there.
    dream = outlier_set(world, "dream-ood-imbalanced")
    rows = {row["label"]: row["recipe"] for row in world.table("badood_table08")["rows"]}
    assert detector(world, rows["Dream-OOD"])["set"] == "dream-ood-imbalanced"
    assert dream["per_class"] is None
    thinned = world.config["benchmarks"]["imagenet100-thinned"]["train"]
    assert part(world, dream["text_latent"])["images"] == thinned
    assert outliers(world, "imagenet100-thinned", "dream-ood-imbalanced") == images(world, thinned)
    assert outlier_set(world, "mixed")["per_class"] == 1300


def test_a_published_network_tells_how_diverse_outliers_are(world_of):
    """Of the 1,000 classes of ImageNet, where the detectors of this world know 100."""
    world, name = world_of("imagenet"), "badood_figure04a_published"
    assert name in world.config["figures"]
    with pytest.raises(PenumbraError, match=r"weights: .*/resnet50-0676ba61\.pth is missing"):
        require_figure(world, name)
    (model,) = Figures(world).inputs(name)["recogniser"]
    assert "/models/imagenet1k/resnet50/published/" in model


def test_the_time_of_synthesis_is_that_of_its_rules(world_of):
    world = world_of("embedded-full")
    cells = [c for c in Tables(world).of("badood_table09") if c.row_label == "Bad-OOD"]
    files = {c.metric: c.files for c in cells if c.metric.endswith("seconds")}
    rules = {"features": "representations", "guidance": "embeddings", "images": "outliers"}
    for metric, rule in rules.items():
        assert files[f"{metric}_seconds"]
        assert all(f"/{rule}/" in file for file in files[f"{metric}_seconds"])
    parts = [file for metric in rules for file in files[f"{metric}_seconds"]]
    assert list(files["synthesis_seconds"]) == parts


def test_shifted_images_are_of_the_classes_of_their_benchmark(world_of):
    world = world_of("imagenet")
    entry = world.image_set("imagenet-v2")
    dataset = world.datasets["imagenet-c"]
    assert entry["classes_file"] == dataset["classes_file"] == "imagenet_r_200"


def test_notes_on_filters_name_the_benchmark_where_there_are_several(world_of):
    named = spec(world_of("embedded-full"), "badood_table07")["selections"]
    assert set(named) == {f"Bad-OOD ({b})" for b in ("Odd digits", "Round digits", "Digits 0–5")}
    assert set(spec(world_of("embedded-full"), "badood_table05")["selections"]) == {
        f"{name}"
        for name in (
            "Beta calibration",
            "Beta calibration, by betacal",
            "Temperature scaling",
            "Isotonic regression",
            "Platt scaling",
        )
    }


def test_the_printed_aupr_stands_beside_both_sides():
    assert {name for name, metric in METRICS.items() if "aupr" in metric.printed} == {
        "aupr_id",
        "aupr_ood",
    }
