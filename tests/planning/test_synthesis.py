"""The synthesis chain in a config: parts, outlier sets, detectors and judges that fit together."""

import json
import re
from types import SimpleNamespace

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning.calibration import Calibration
from penumbra.planning.figures import Figures
from penumbra.planning.models import Models
from penumbra.planning.outlier_training import shard_files
from penumbra.planning.outliers import Outliers
from tests.planning.helpers import required


def detector_inputs(world, names):
    models = Models(world)
    return {"outliers": models.outliers(names), "selection": models.selection(names)}


MODEL = {"benchmark": "digits", "backbone": "resnet34", "seed": "0"}


# A generator without a tokenizer, and outliers of it.
DIT = {
    "kind": "dit", "encoder": "moco-l", "weights": "dit.pt", "autoencoder": "vae",
}  # fmt: skip
VAE = {"kind": "autoencoder", "weights": "vae.safetensors"}
PLAIN = {
    "kind": "rdm", "rdm": "rdm-l", "generator": "dit", "per_class": None, "cycle": False,
    "shards": 1, "seed": 0,
    "grey": False, "guidance": {"precision": "float32", "scales": [0.1], "start": 300, "grid": 250},
    "decoding": {"steps": 2},
}  # fmt: skip
# Real images in the place of synthesised ones.
GIVEN = {"kind": "images", "images": "things", "shards": 2, "seed": 0, "grey": False}


def names(recipe):
    return {**MODEL, "recipe": recipe}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (
            {"recipes": {"late": {"extends": "standard", "method": "vos", "vos": {"start": 24}}}},
            r"recipes\.late\.vos\.start: outliers are drawn after 24 of 24 epochs",
        ),
        (
            {"recipes": {"late": {"extends": "standard", "method": "npos"}}},
            r"recipes\.late\.npos\.start: outliers are drawn after 200 of 24 epochs",
        ),
        (
            {"outliers": {"config1": {"generator": "mage-l"}}},
            "rdm-b makes representations of moco-b, and mage-l reads those of moco-l",
        ),
        (
            {"outliers": {"mixed": {"generator": "rdm-l"}}},
            "rdm-l is of the kind rdm; name a part of",
        ),
        ({"parts": {"rdm-l": {"weights": "rdm.pth"}}}, "say `weights` .*or `training`, one"),
        ({"parts": {"mage-b": {"tokenizer": "moco-b"}}}, "moco-b is no tokenizer"),
        ({"recipes": {"bad-ood": {"outliers": {"filter": "middle"}}}}, "unknown filter 'middle'"),
        ({"recipes": {"bad-ood": {"outliers": {"judges": []}}}}, "judges score the outliers"),
        (
            {"recipes": {"bad-ood": {"outliers": {"judges": ["detector-gaussian"]}}}},
            "detector-gaussian was not trained on outlier set mixed",
        ),
        ({"recipes": {"bad-ood": {"outliers": {"judges": ["standard"]}}}}, "not trained on"),
        (
            {"recipes": {"bad-ood": {"outliers": {"judges": ["bad-ood-low"]}}}},
            "saw filtered outliers only",
        ),
        *(
            ({"recipes": {"bad-ood": {"outliers": {"judges": [*judges]}}}}, f"these score: {told};")
            for judges, told in {
                ("detector-fold0",): "detector-fold0 fold 0 of 2",
                ("detector-fold0", "detector"): "detector-fold0 fold 0 of 2, detector all",
                ("detector-fold0", "detector-fold0"): "detector-fold0 fold 0 of 2, .*fold 0 of 2",
                ("detector", "detector"): "detector all, detector all",
            }.items()
        ),
        (
            {"recipes": {"bad-ood": {"outliers": {"calibration": "betas"}}}},
            "unknown calibration 'betas'; did you mean 'beta'",
        ),
        (
            {
                "parts": {"dit": DIT, "vae": VAE},
                "outliers": {"plain": PLAIN},
                "recipes": {"detector": {"outliers": {"set": "plain", "reconstruct_id": True}}},
            },
            "reconstruct_id: dit has no tokenizer",
        ),
        (
            {"parts": {"dit": DIT, "vae": {**VAE, "options": {"latents": "vq"}}}},
            "vae gives vq latents, and a dit is of kl; name a first stage with `latents: kl`",
        ),
        (
            {"image_sets": {"six-digits-train": {"size": 32}}},
            "image_size: 16 pixels, and six-digits-train measures 32; make them alike",
        ),
        (
            {"parts": {"dit-1": {"options": {"patch": 3}}}},
            r"dit-1\.options\.patch: they divide a side of 8 by 3, which does not go into it",
        ),
        (
            {"parts": {"autoencoder-kl": {"options": {"multipliers": [1] * 6}}}},
            r"autoencoder-kl\.options\.multipliers: they divide a side of 16 by 32",
        ),
        (
            {"outliers": {"ldm-1": {"decoding": {"side": 16}}}},
            r"decoding.side: 16, and latents of the images that ldm-1 .* the side 8; say 8",
        ),
        ({"parts": {"rdm-b": {"classes_file": "imagenet"}}}, "classes_file: it is for a published"),
        ({"parts": {"dit": {**DIT, "autoencoder": "tokenizer"}}}, "tokenizer is no autoencoder"),
        ({"outliers": {"start400": {"extends": "mixd"}}}, "unknown outliers 'mixd'"),
        (
            {"outliers": {"mine": {"extends": "mixed", "kind": "images", "images": "things"}}},
            "outliers mine are of kind images and extend mixed, of kind rdm",
        ),
        ({"outliers": {"mine": GIVEN | {"decoding": {"steps": 2}}}}, "unknown key .*mine.decoding"),
        ({"outliers": {"mixed": {"kind": "images"}}}, "unknown key .*mixed.(cycle|guidance|per_c)"),
        ({"outliers": {"mixed": {"kind": "image"}}}, "unknown kind 'image'; did you mean 'images'"),
        ({"outliers": {"mine": GIVEN | {"images": "pictures"}}}, "unknown image set 'pictures'"),
        ({"outliers": {"mine": GIVEN | {"batch_size": 0}}}, "batch_size"),
        ({"outliers": {"mixed": {"guidance": {"scale": 0.1}}}}, "unknown key .*guidance.scale"),
        (
            {"benchmarks": {"all-digits": {"train": "digits-train"}}},
            "all-digits: it reads models of six-digits, so it names the same `train`",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_a_job_starts(world, over, message):
    with pytest.raises(PenumbraError, match=message):
        world(over)


def test_missing_weights_are_named_before_a_job_starts(world):
    required(world({"weights_root": "/nowhere"}))  # the embedded world trains all its parts
    official = {"moco-l": {"weights": "mocov3/vitl.pth.tar", "training": None}}
    made = world({"weights_root": "/nowhere", "parts": official})
    with pytest.raises(PenumbraError, match=r"parts.moco-l: /nowhere/.*vitl.pth.tar is missing"):
        required(made)


def test_a_detector_reads_its_outliers_and_its_selection(world):
    made = world()
    first = detector_inputs(made, names("detector"))
    assert first == {
        "outliers": ["results/embedded/outliers/digits/mixed/0of1.parquet"],
        "selection": [],
    }
    second = detector_inputs(made, names("bad-ood"))
    assert second["outliers"] == first["outliers"]
    assert second["selection"] == [
        "results/embedded/selections/digits/resnet34/bad-ood/seed0.parquet"
    ]
    assert Calibration(made).scored(names("bad-ood")) == [
        f"results/embedded/calibrations/digits/resnet34/detector-fold{i}/seed0/beta.parquet"
        for i in range(2)
    ]
    assert Calibration(made).scored(names("bad-ood-random")) == first["outliers"]
    assert detector_inputs(made, names("standard")) == {"outliers": [], "selection": []}


def test_more_shards_are_more_jobs(world):
    made = world({"outliers": {"mixed": {"shards": 3}}})
    files = shard_files(made, "embeddings", "digits", "mixed")
    assert [file.rsplit("/", 1)[1] for file in files] == [f"{i}of3.parquet" for i in range(3)]


def test_given_images_are_outliers_and_no_id_or_tested_ones(world):
    shard = {"benchmark": "digits", "outliers": "mine", "shard": "1of2"}
    made = Outliers(world({"outliers": {"mine": GIVEN}}))
    assert made.given(shard) == ["results/embedded/images/things.parquet"]
    assert (made.embeddings(shard), made.generator(shard)) == ([], [])
    with pytest.raises(PenumbraError, match="of kind images have no embeddings"):
        made.anchors(shard)
    made = Outliers(world({"outliers": {"mine": GIVEN | {"images": "textures"}}}))
    with pytest.raises(PenumbraError, match=r"mine.images: textures is trained on as outliers"):
        made.given(shard)


def test_the_filter_decides_a_detectors_inputs_and_not_its_own_param(world):
    """A changed band gives another selection, whose content retrains the detector."""
    made, other = world(), world({"filters": {"mid": {"low": 0.25}}})
    assert Models(made).spec(names("bad-ood")) == Models(other).spec(names("bad-ood"))
    assert Calibration(made).selections_spec(names("bad-ood")) != Calibration(
        other
    ).selections_spec(names("bad-ood"))


def test_uat_models_read_nothing_of_the_outliers(world):
    made, other = world(), world({"outliers": {"mixed": {"seed": 7}}})
    wc = {**names("uat"), "backbone": "resnet18"}
    assert Models(made).spec(wc) == Models(other).spec(wc)
    assert "penumbra.training.pool" not in Models(made).spec(wc)
    shard = SimpleNamespace(benchmark="digits", outliers="mixed", shard="0of1")
    wildcards = vars(shard)
    assert Outliers(made).embeddings_spec(wildcards) != Outliers(other).embeddings_spec(wildcards)


def test_embeddings_do_not_depend_on_how_many_images_are_made_at_once(world):
    made, other = (Outliers(world({"outliers": {"mixed": {"batch_size": n}}})) for n in (8, 9))
    shard = {"benchmark": "digits", "outliers": "mixed", "shard": "0of1"}
    assert made.embeddings_spec(shard) == other.embeddings_spec(shard)
    assert made.outliers_spec(shard) != other.outliers_spec(shard)


def test_clip_is_asked_for_only_where_it_recognises(world):
    clip = {"recogniser": "clip", "clip": {"folder": "clip", "prompt": "a photo of a {}"}}
    asked = {"weights_root": "/nowhere", "categories": clip}
    with pytest.raises(PenumbraError, match=r"clip.folder: /nowhere/clip holds no CLIP"):
        required(world(asked))
    others = {"tables": ["badood_table02"], "figures": ["badood_figure02"]}
    required(world({**asked, **others}))


def test_a_clip_that_recognises_is_told_how_images_are_normalised(world):
    """Of a benchmark's images it knows nothing else."""
    clip = {"label": "CLIP", "network": "clip", "options": {"folder": "clip"}}
    made = world(
        {
            "backbones": {"clip": clip},
            "recipes": {"zero-shot": {"method": "zero_shot", "zero_shot": {"prompt": "a {}"}}},
            "categories": {"classifier": {"backbone": "clip", "recipe": "zero-shot"}},
        }
    )
    config = json.loads(Outliers(made).categories_spec(names("detector")))["config"]
    assert config["network"]["normalisation"] == config["normalisation"]


def test_classes_that_clip_cannot_read_end_the_call(world_of, tmp_path):
    """Before any job: WordNet ids want words, and both sides one way of naming."""
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip/config.json").write_text("{}")
    clip = {"folder": "clip", "prompt": "a {}", "classes_file": "imagenet"}
    over = {"weights_root": str(tmp_path), "tables": ["badood_table03"], "figures": []}
    over["categories"] = {"recogniser": "clip", "clip": clip}

    def told(**changes):
        with pytest.raises(PenumbraError) as caught:
            required(world_of("tiny-imagenet", over | changes))
        return str(caught.value)

    required(world_of("tiny-imagenet", over))
    told_of = told(datasets={"tiny-imagenet50": {"words_file": None}})
    assert re.search(r"datasets.tiny-imagenet50: .*clip asks CLIP .*n01440764 … \(1000\)", told_of)
    assert "config/words" in told_of
    own = {"image_sets": {"tiny-train": {"classes": ["n07583066", "cat"]}}}
    unlike = {**clip, "classes_file": "table7_random"}
    told_of = told(**own, categories={"recogniser": "clip", "clip": unlike})
    assert "none of the classes of tiny-imagenet, n07583066 …, is among the 10" in told_of


def test_figures_of_classes_are_labelled_in_words(world_of):
    def words(figure):
        spec = Figures(world_of("imagenet")).spec({"figure": figure})
        return json.loads(spec)["config"]["words"]

    assert words("badood_figure09")["n03594945"] == "jeep"
    assert words("badood_figure05") == {}


def test_a_batch_size_trains_no_part_anew_that_reads_no_images_by_another(world):
    """Those of tokenizers and first stages alone; the training's own is another."""
    own = {"images": "digits-train", "training": {"epochs": 1, "batch_size": 8, "lr": 1e-3}}
    over = {"parts": {"vae": VAE, "dit": DIT, "dit-own": {**DIT, "weights": None, **own}}}
    plain, other = (Outliers(world({**over, "compute": {"batch_size": n}})) for n in (50, 60))
    names = ("moco-b", "rdm-b", "tokenizer", "vae", "dit", "mage-b", "dit-own")
    moved = {n for n in names if plain.parts_spec({"part": n}) != other.parts_spec({"part": n})}
    assert moved == {"mage-b", "dit-own"}
