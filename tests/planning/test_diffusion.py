"""Stable Diffusion and what is made with it, in a config: what is refused, and what left out."""

import json

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning.cells import expand
from penumbra.planning.left_out import figure_entries, inputs, why
from penumbra.planning.outliers import Outliers
from tests.diffusion import small_stable_diffusion
from tests.planning.helpers import required

TRAINING = {
    "epochs": 2, "batch_size": 20, "lr": 0.05, "momentum": 0.9, "nesterov": True,
    "weight_decay": 0.0005, "precision": "float32", "schedule": {"kind": "cosine_iteration"},
    "augment": {"flip": False, "crop_padding": 1},
}  # fmt: skip
COMMON = {"generator": "small", "shards": 1, "seed": 0, "grey": True}
WORLD = {
    "parts": {
        "small": {"kind": "stable_diffusion", "weights": "small", "missing": "omit"},
        "other": {"kind": "stable_diffusion", "weights": "other", "missing": "omit"},
        "text": {
            "kind": "text_latent", "stable_diffusion": "small", "images": "digits-train",
            "options": {"width": 4}, "training": TRAINING,
        },
    },
    "outliers": {
        "dream-ood": {
            **COMMON, "kind": "dream", "text_latent": "text", "per_class": 6,
            "decoding": {"steps": 4}
        },
        "sona": {**COMMON, "kind": "sona", "concepts": "imagenet", "decoding": {}},
    },
    "recipes": {
        "dream-ood": {"extends": "detector", "outliers": {"set": "dream-ood"}},
        "sona": {"extends": "detector", "outliers": {"set": "sona"}},
    },
}  # fmt: skip


def changed(*keys, value):
    """The world with one value changed."""
    copy = {**WORLD}
    place = copy
    for key in keys[:-1]:
        place[key] = {**place[key]}
        place = place[key]
    place[keys[-1]] = value
    return copy


def test_the_embedded_world_says_that_it_has_none(world):
    assert why(world({}), {"recipe": "sona"}) == "this world has no recipe sona"
    given = inputs(world({}), "badood_figure04a")
    assert given["dream-ood"]["missing"] == "this world has no outlier set dream-ood"
    assert "missing" not in given["minority"]


def test_without_its_folder_rows_are_left_out(world, tmp_path):
    """And with it they are not; unless the part says so, the lack is an error."""
    own = {"weights_root": str(tmp_path), "tables": ["badood_table10"], "figures": []}
    made = world({**WORLD, **own})
    reason = f"{tmp_path}/small/scheduler/scheduler_config.json is not there"
    for row in ({"recipe": "dream-ood"}, {"recipe": "sona"}, {"outliers": "dream-ood"}):
        assert why(made, row) == reason
    cells = expand(made.table("badood_table10"), made)
    assert {cell.missing for cell in cells if cell.row_label == "SONA"} == {reason}
    required(made)
    strict = changed("parts", "small", "missing", value="error")
    with pytest.raises(PenumbraError, match=r"parts\.small: .*scheduler_config\.json is missing"):
        required(world({**strict, **own}))
    small_stable_diffusion(tmp_path / "small")
    assert why(made, {"recipe": "sona"}) is None
    assert "dream-ood" in {e.get("outliers") for e in figure_entries(made, "badood_figure04a")}
    required(made)
    files = Outliers(made).weights({"part": "small"})
    assert str(tmp_path / "small/unet/config.json") in files


def test_a_part_among_words_knows_what_its_classes_are_called(world, tmp_path):
    small_stable_diffusion(tmp_path / "small")
    made = world({
        **changed("parts", "text", "images", value="coded"), "weights_root": str(tmp_path),
        "tables": ["badood_table11"], "figures": [],
        "image_sets": {"coded": {"dataset": "digits", "split": "train", "classes": ["n01498041"]}},
    })  # fmt: skip
    with pytest.raises(PenumbraError, match=r"digits: parts\.text asks CLIP for .* n01498041"):
        required(made)


def test_hints_are_for_classes_that_are_there(world, tmp_path):
    small_stable_diffusion(tmp_path / "small")
    hints = {"decoding": {"hints": {"1": "the number {}", "ten": "the number {}"}}}
    given = changed("outliers", "dream-ood", value={**WORLD["outliers"]["dream-ood"], **hints})
    made = world({
        **given, "weights_root": str(tmp_path), "tables": ["badood_table11"], "figures": [],
    })  # fmt: skip
    with pytest.raises(PenumbraError, match=r"dream-ood\.decoding\.hints: no class is called ten;"):
        required(made)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("parts", "text", "training", "momentum"), 1.5, "momentum: 1.5 is not in [0, 1)"),
        (("parts", "text", "training", "head"), {"similarity": "cosine"}, "leave `head` out"),
        (("parts", "text", "training"), None, "say `weights`"),
        (("parts", "text", "stable_diffusion"), "mage-l", "mage-l is no stable_diffusion"),
        (
            ("parts", "text", "stable_diffusion"),
            "other",
            "text learned the words of other, and small makes",
        ),
        (("parts", "small", "training"), TRAINING, "loaded from its `weights`, not trained"),
        (
            ("outliers", "dream-ood", "sampling"),
            {"queue": 9, "boundary": 10, "neighbour": 2},
            "boundary 10 of queue 9",
        ),
        (
            ("outliers", "dream-ood", "text_latent"),
            "rdm-l",
            "of the kind rdm; name a part of kind text_latent",
        ),
        (("outliers", "dream-ood", "generator"), "mage-l", "of the kind mage; name a part of kind"),
        (("outliers", "dream-ood", "decoding"), {"prompt": "a cat"}, "without {}, the place"),
        (("outliers", "dream-ood", "decoding"), {"prompt": "{} {}"}, "'{} {}' has 2 places"),
        (
            ("outliers", "dream-ood", "decoding"),
            {"hints": {"0": "{} or {}"}},
            "'{} or {}' has 2 places, and one is filled",
        ),
        (("outliers", "sona", "concepts"), "imagnet", "unknown word list 'imagnet'; did you mean"),
        (
            ("outliers", "sona", "decoding"),
            {"guidance": {"steps": 9}},
            "nuisance_warmup 20 of 9 steps",
        ),
        (
            ("outliers", "sona", "decoding"),
            {"steps": 9},
            "unknown key 'outliers.sona.decoding.steps'",
        ),
    ],
)
def test_what_cannot_be_is_told_before_a_job(world, keys, value, message):
    with pytest.raises(PenumbraError) as raised:
        world(changed(*keys, value=value))
    assert message in str(raised.value)


def test_words_and_images_are_of_one_stable_diffusion(world):
    two = changed("parts", "other", value={"extends": "small"})
    sets = {**WORLD["outliers"], "dream-ood": {**WORLD["outliers"]["dream-ood"]}}
    sets["dream-ood"]["generator"] = "other"
    with pytest.raises(PenumbraError, match="text learned the words of small, and other makes"):
        world({**two, "outliers": sets})


@pytest.mark.parametrize(
    ("name", "side"), [("embedded-full", 8), ("tiny-imagenet", 16), ("tiny-imagenet-cpu", 8)]
)
def test_an_ldm_that_is_trained_here_decodes_latents_of_the_side_it_learned(world_of, name, side):
    made = world_of(name)
    benchmark = made.config["roles"]["badood"]
    shard = {"benchmark": benchmark, "outliers": "ldm-1", "shard": "0of1"}
    assert "side" not in made.config["outliers"]["ldm-1"]["decoding"]
    options = json.loads(Outliers(made).outliers_spec(shard))
    assert options["config"]["generator"]["decoding"]["side"] == side
