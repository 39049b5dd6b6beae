"""What a scorer reads, what it is fitted on, and which scorers share a fit."""

import json

import pytest
from snakemake.iocontainers import Wildcards

from penumbra.errors import PenumbraError
from penumbra.planning import needs, scorers
from penumbra.planning.detectors import Detectors
from penumbra.planning.models import Models
from penumbra.planning.readings import Readings
from penumbra.planning.scores import Scores
from penumbra.planning.tables import Tables
from tests.planning.helpers import required


def scores(world):
    return Scores(world, Readings(world), Tables(world))


MODEL = {"benchmark": "digits", "backbone": "resnet18", "recipe": "standard", "seed": "0"}


def reading(scorer, **other):
    return {**MODEL, "input": "clean", "scorer": scorer, **other}


def test_a_benchmark_and_a_backbone_have_parameters_of_their_own(world):
    own = {
        "benchmarks": {"six-digits": {"options": {"k": 20}}},
        "backbones": {"wrn": {"options": {"k": 10}}},
    }
    made = world({"scorers": {"knn": own}})

    def k(**other):
        return scorers.scorer(made, reading("knn", **other))["options"]["k"]

    assert k() == 50
    assert k(benchmark="six-digits") == 20
    assert k(benchmark="all-digits") == 20  # read under models of six-digits
    assert k(benchmark="six-digits", backbone="wrn") == 10
    with pytest.raises(PenumbraError, match="unknown benchmark 'six'"):
        world({"scorers": {"knn": {"benchmarks": {"six": {}}}}})


def test_what_several_scorers_need_is_fitted_once(world):
    made = world({"scorers": {"knn-10": {"module": "knn", "options": {"k": 10}}}})
    fit = "results/embedded/fits/digits/resnet18/standard/seed0/clean/{}.safetensors"
    assert scores(made).fitted(reading("knn-10")) == [fit.format("knn")]
    assert scores(made).fitted(reading("adascale-l")) == [fit.format("adascale-a")]
    assert scores(made).fitted(reading("react")) == [fit.format("react")]
    assert scores(made).fitted(reading("msp")) == []


def test_another_order_of_scorers_moves_no_fit(world):
    made = world()
    made.config["scorers"] = dict(reversed(made.config["scorers"].items()))
    assert scores(made).fitted(reading("adascale-l")) == scores(world()).fitted(
        reading("adascale-l")
    )


def test_another_fit_is_not_shared(world):
    made = world({"scorers": {"react-99": {"module": "react", "fit": {"percentile": 99.0}}}})
    assert scores(made).fitted(reading("react-99"))[0].endswith("react-99.safetensors")


def test_no_image_is_cropped_away(world):
    made = world({"recipes": {"standard": {"augment": {"crop_padding": 16}}}})
    told = r"recipes\.standard\.augment\.crop_padding: 16 pixels around images of 16 leave crops"
    with pytest.raises(PenumbraError, match=told):
        scorers.check(made, reading("msp"))
    scorers.check(
        world({"recipes": {"standard": {"augment": {"crop_padding": 15}}}}), reading("msp")
    )


def test_a_scorer_is_fitted_on_the_images_that_its_model_knows(world):
    """The shift grid is read under models of digits: its fits are theirs."""
    found = scores(world()).fitted(reading("temperature", benchmark="digits-grid"))
    assert found == [
        "results/embedded/fits/digits/resnet18/standard/seed0/clean/temperature.safetensors"
    ]


def test_scorers_of_arrays_are_given_no_network(world):
    assert scores(world()).features(reading("react")) == [
        "results/embedded/outputs/digits/resnet18/standard/seed0/clean.parquet"
    ]
    assert scores(world()).head(reading("react")) == [
        "results/embedded/models/digits/resnet18/standard/seed0/model.safetensors"
    ]
    assert scores(world()).head(reading("msp")) == []


def test_held_out_images_must_be_there_before_a_job_starts(world):
    # thinned-digits tunes on held-out digits; without them the temperature has none to look at.
    made = world({"scorers": {"msp": {"module": "temperature"}}})
    del made.config["benchmarks"]["digits"]["heldout"]
    with pytest.raises(
        PenumbraError,
        match=r"uat_table01.yaml: scorer msp is fitted on held-out .* digits names no `heldout`",
    ):
        Tables(made).of("uat_table01")
    trained = world({"scorers": {"msp": {"module": "temperature", "fit": {"role": "train"}}}})
    del trained.config["benchmarks"]["digits"]["heldout"]
    assert Tables(trained).of("uat_table01")


def test_weights_of_a_scorer_must_be_there(world, tmp_path):
    catex = {"module": "catex", "weights": "catex.safetensors"}
    made = world({"scorers": {"catex": catex}, "weights_root": str(tmp_path)})
    with pytest.raises(PenumbraError, match=r"scorer catex: .*catex.safetensors is missing"):
        scorers.check(made, reading("catex"))
    (tmp_path / "catex.safetensors").touch()
    scorers.check(made, reading("catex"))
    assert scores(made).fitted(reading("catex")) == [str(tmp_path / "catex.safetensors")]


def test_a_block_must_be_named(world):
    made = world({"scorers": {"plain": {"module": "fn"}}})
    with pytest.raises(PenumbraError, match=r"scorer plain: .* name its `block`"):
        scorers.check(made, reading("plain"))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('NEEDS = ("logit",)', "unknown need 'logit'; did you mean 'logits'"),
        ('NEEDS = ("logits", "l2")', "logits, l2 come from different readings"),
        ('NEEDS = ("logits", "labels")', "unknown need 'labels'"),
        ('NEEDS = ("logits",)\nFIT = ("test", "logits")', "unknown images to fit on 'test'"),
        ('NEEDS = ("logits",)\nFIT = ("train", "l2")', "unknown need 'l2'"),
        ("PARTS = ()", r'declares what it reads, e.g. NEEDS = \("logits",\)'),
    ],
)
def test_what_no_stage_offers_is_refused(monkeypatch, tmp_path, declared, message):
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/own.py").write_text(declared)
    monkeypatch.setattr(needs, "PACKAGE", tmp_path)
    needs.declared.cache_clear()

    def both(scorer):
        return needs.needs(scorer), needs.fit_needs(scorer)

    with pytest.raises(PenumbraError, match=message):
        both({"module": "own"})
    needs.declared.cache_clear()


def test_every_scorer_of_the_world_has_a_spec(world):
    made = world()
    for name in made.config["scorers"]:
        names = reading(name)
        of_network = needs.of_network(needs.needs(made.config["scorers"][name]))
        made_scores = scores(made)
        make = made_scores.scores_network_spec if of_network else made_scores.scores_spec
        assert f'"module": "{made.config["scorers"][name]["module"]}"' in make(names)


def test_precision_moves_what_is_computed_in_it(world):
    """Not scorers of the network, their fits and the choice of a block, which are in float32."""
    plain, lowered = world(), world({"compute": {"precision": {"features": "bfloat16"}}})

    def specs(made):
        readings, of = Readings(made), scores(made)
        detectors = Detectors(made, readings)
        return {
            "outputs": readings.outputs_spec(reading("msp")),
            "latency": of.latency_spec(reading("ccfn")),
            "detector of outputs": detectors.spec(reading("msp")),
            "detector of the network": detectors.spec(reading("odin")),
            "blocks": readings.blocks_spec(MODEL),
            "fits_network": of.fits_network_spec(reading("nac")),
            "scores_network": of.scores_network_spec(reading("odin")),
        }

    of_plain, of_lowered = specs(plain), specs(lowered)
    moved = {name for name, spec in of_plain.items() if of_lowered[name] != spec}
    assert moved == {"outputs", "latency", "detector of outputs"}


def test_an_option_of_score_does_not_change_the_fit(world):
    plain = scores(world()).fits_spec(reading("knn"))
    other = world({"scorers": {"knn": {"options": {"k": 5}}}})
    assert scores(other).fits_spec(reading("knn")) == plain
    assert scores(other).scores_spec(reading("knn")) != scores(world()).scores_spec(reading("knn"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"knn": {"options": {"kk": 5}}},
            r"unknown key 'scorers\.knn\.options\.kk'; .*options\.k'",
        ),
        (
            {"react": {"options": {"percentile": 5.0}}},
            r"react\.options\.percentile: nothing may be chosen",
        ),
        (
            {"dice": {"fit": {"percentil": 5.0}}},
            r"unknown key 'scorers\.dice\.fit\.percentil'; .*fit\.percentile'",
        ),
        ({"scale": {"fit": {"percentile": 70.0}}}, "scorer scale: module scale fits nothing"),
        (
            {"knn": {"benchmarks": {"digits": {"options": {"kk": 5}}}}},
            r"unknown key .*digits\.options\.kk'; .*options\.k'",
        ),
    ],
)
def test_an_argument_that_a_scorer_does_not_take(world, entry, message):
    with pytest.raises(PenumbraError, match=message):
        scorers.check(world({"scorers": entry}), reading(next(iter(entry))))


def test_a_head_of_its_own_is_no_linear_layer(world):
    made = world()
    scorers.check(made, reading("godin", recipe="godin"))
    scorers.check(made, reading("msp", recipe="godin"))
    for name in ("react", "vim", "dice"):
        with pytest.raises(PenumbraError, match=f"scorer {name}: it reads a linear last layer"):
            scorers.check(made, reading(name, recipe="godin"))
    with pytest.raises(PenumbraError, match="recipe standard trains no GODIN head"):
        scorers.check(made, reading("godin"))


def test_clip_and_its_methods_go_together(world):
    clip = {"label": "CLIP", "network": "clip", "options": {"folder": "clip"}}
    zero_shot = {"method": "zero_shot", "zero_shot": {"prompt": "a {}"}}
    bare = {"method": "zero_shot"}
    recipes = {"zero-shot": zero_shot, "bare": bare}
    recipes["catex"] = {"extends": "standard", "method": "catex"}
    made = world({"backbones": {"clip": clip}, "recipes": recipes})
    assert made.model({"backbone": "clip", "recipe": "zero-shot"})["recipe"] == "zero-shot"
    catex = reading("catex", backbone="clip", recipe="catex")
    with pytest.raises(PenumbraError, match="method catex learns, and recipe zero-shot is of"):
        scorers.check(made, catex | {"recipe": "zero-shot"})
    scorers.check(made, catex)
    assert scores(made).fitted(catex) == [
        "results/embedded/models/digits/clip/catex/seed0/model.safetensors"
    ]
    pairs = [("clip", "standard"), ("resnet18", "catex"), ("resnet18", "zero-shot")]
    for backbone, recipe in pairs:
        with pytest.raises(PenumbraError, match="go together"):
            made.model({"backbone": backbone, "recipe": recipe})
    with pytest.raises(PenumbraError, match=r"recipes\.bare: name its zero_shot"):
        made.model({"backbone": "clip", "recipe": "bare"})


SECOND = {
    "recipes": {"other": {"extends": "standard"}},
    "scorers": {"dml-plus": {"second": "other"}, "dml-again": {"module": "dml_plus"}},
}


def test_a_scorer_of_two_models_reads_both_at_one_seed(world):
    made = world(SECOND)
    pair = reading("dml-plus", seed="2")
    folder = "results/embedded/outputs/digits/resnet18/{}/seed2/clean.parquet"
    assert scores(made).features(pair) == [folder.format("standard")]
    assert scores(made).second(pair) == [folder.format("other")]
    assert scores(made).second(reading("knn")) == []
    for text in (scores(made).scores_spec(pair), scores(made).fits_spec(pair)):
        assert json.loads(text)["config"]["second"] == {"features": "other"}
    assert scores(made).fitted(pair)[0].endswith("/standard/seed2/clean/dml-plus.safetensors")


@pytest.mark.parametrize("backbone", ["vit", "t2t-vit"])
def test_of_networks_of_tokens_no_feature_map_is_read(world, backbone):
    made = world()
    for scorer in ("fn", "ccfn"):
        with pytest.raises(
            PenumbraError, match=f"scorer {scorer}: it reads feature maps, and .*{backbone}"
        ):
            scorers.check(made, reading(scorer, backbone=backbone))
    with pytest.raises(PenumbraError, match=r"added at middle, .* has no feature maps; say"):
        scorers.check(made, reading("msp", backbone=backbone, recipe="uat-middle"))
    scorers.check(made, reading("msp", backbone=backbone, recipe="uat"))
    scorers.check(made, reading("ccfn-vit", backbone=backbone, recipe="uat"))


def test_one_network_does_not_stand_for_two(world):
    made = world(SECOND)
    with pytest.raises(PenumbraError, match=r"dml-again: its features are those of a second model"):
        scorers.check(made, reading("dml-again"))
    with pytest.raises(PenumbraError, match="two models, and recipe other is that of its `second`"):
        scorers.check(made, reading("dml-plus", recipe="other"))
    with pytest.raises(PenumbraError, match=r"module knn reads one model; drop its `second`"):
        scorers.check(world({"scorers": {"knn": {"second": "standard"}}}), reading("knn"))
    with pytest.raises(PenumbraError, match="unknown recipe 'othr'"):
        world({"scorers": {"dml-plus": {"second": "othr"}}})
    with pytest.raises(PenumbraError, match="reads two models, and a detector's file carries one"):
        Detectors(made, Readings(made)).images(reading("dml-plus"))


def test_weights_of_a_second_model_have_to_be_there(world):
    given = {"method": "pretrained", "pretrained": {"weights": "no.pth"}}
    recipes = {"dml-focal": {"extends": "standard"}, "given": given}
    over = {"recipes": recipes, "scorers": {"dml-plus": {"second": "given"}}}
    with pytest.raises(
        PenumbraError, match=r"recipes\.given\.pretrained\.weights: .*no\.pth is miss"
    ):
        required(world({**over, "tables": ["uat_table01"], "figures": []}))


def test_a_recipes_head_is_in_every_spec_of_its_models(world):
    """As Snakemake asks for it: its wildcards are a list, whose `in` looks among the values."""
    made = world()
    names = Wildcards(fromdict=reading("godin", recipe="godin"))
    every = (
        Models(made).spec(names),
        Readings(made).outputs_spec(names),
        scores(made).fits_network_spec(names),
        scores(made).scores_network_spec(names),
    )
    for text in every:
        spec = json.loads(text)
        assert spec["config"]["backbone"]["head"] == {"similarity": "cosine"}
        assert "penumbra.networks.layers.heads" in spec["roots"]
    plain = Wildcards(fromdict=reading("odin"))
    assert "head" not in json.loads(Models(made).spec(plain))["config"]["backbone"]
