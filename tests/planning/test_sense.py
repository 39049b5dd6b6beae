"""Sense between keys: names that are answered, sets that are apart, a chain that fits together."""

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning.calibration import Calibration
from penumbra.planning.config import merge
from penumbra.planning.figures import Figures
from penumbra.planning.images import Images
from penumbra.planning.models import Models
from penumbra.planning.outliers import Outliers
from penumbra.planning.overlap import common
from penumbra.planning.paths import shard_names
from penumbra.planning.readings import Readings
from penumbra.planning.references import references
from penumbra.planning.requirements import require_figure
from penumbra.planning.scores import Scores
from penumbra.planning.tables import Tables
from tests.planning.helpers import required


def digits(**changes):
    return {"benchmarks": {"digits": changes}}


def sets(**entries):
    return {"image_sets": {name.replace("_", "-"): entry for name, entry in entries.items()}}


def nested(kind, name, *keys):
    found = keys[-1]
    for key in reversed(keys[:-1]):
        found = {key: found}
    return {kind: {name: found}}


FACES = {"dataset": "skimage-faces", "split": "test"}
HALVES = {"dataset": "digits", "split": "train"}
SHIFTED = {"dataset": "digits-shifted", "split": "test"}

NONSENSE = {
    "test-is-train": (digits(test="digits-train"), r"digits\.test: digits-train is its `train`"),
    "heldout-is-train": (digits(heldout="digits-train"), r"digits\.heldout: digits-train is its"),
    "calibration-is-far": (
        digits(calibration_ood="faces"),
        r"ood\.far: faces is its `calibration_",
    ),
    "far-is-train": (
        digits(ood={"far": ["digits-train"]}),
        r"ood\.far: digits-train is its `train`",
    ),
    "normalisation-of-bytes": (
        digits(normalisation={"mean": [125.3, 123.0, 113.9], "std": [63.0, 62.1, 66.7]}),
        r"normalisation\.mean\.0: 125\.3 is .* pixels from 0 to 1; divide those of 0 to 255 by 255",
    ),
    "shifted-is-test": (digits(shifted=["digits-test"]), r"shifted: digits-test is its `test`"),
    "near-is-far": (digits(ood={"near": ["faces"]}), r"ood\.near: faces is its `ood\.far`"),
    "twice": (digits(ood={"far": ["faces", "faces"]}), "non-unique"),
    "no-group": (digits(ood={"far": []}), "should be non-empty"),
    "same-by-another-name": (
        sets(faces2=FACES) | digits(ood={"near": ["faces2"]}),
        "faces2 may hold images of faces, its `ood.far`: both are of skimage-faces, test; give",
    ),
    "pretrained-without-weights": (
        {"recipes": {"given": {"method": "pretrained"}}},
        r"recipes\.given: no weights; there is no default: name the file by `pretrained: ",
    ),
    "six-of-ten": (digits(ood={"near": ["six-digits-test"]}), "may hold images of digits-test"),
    "limit-is-no-proof": (
        sets(few={**HALVES, "limit": 9}) | digits(heldout="few"),
        "few may hold images of digits-train",
    ),
    "under-models-of-another": (
        {"benchmarks": {"all-digits": {"ood": {"near": ["things"]}}}},
        r"all-digits\.ood\.near: things is its `calibration_ood`",
    ),
    "same-folder": (
        {
            "datasets": {
                "mine": {
                    "title": "",
                    "reader": "stored",
                    "licence": "",
                    "source": "",
                    "labelled": True,
                    "size": 32,
                    "folder": "svhn",
                    "splits": {"test": {}},
                }
            }
        }
        | sets(a={"dataset": "svhn", "split": "test"}, b={"dataset": "mine", "split": "test"})
        | digits(ood={"near": ["a", "b"]}),
        "b may hold images of a, its `ood.near`: mine, test and svhn, test are read from the same",
    ),
    "split": (sets(faces={"split": "tset"}), r"faces\.split: .*unknown split 'tset'; did you mean"),
    "share": (sets(digits_train={"share": [0.9, 0.1]}), r"share: \[0.9, 0.1\] holds nothing"),
    "share-nan": (sets(digits_train={"share": [float("nan")] * 2}), "no finite number"),
    "classes-twice": (sets(digits_train={"classes": [1, 1]}), "non-unique"),
    "class-beyond": (
        sets(digits_train={"classes": [1, 10]}),
        r"digits-train\.classes: 10 is none of the 10 classes of digits, counted from 0",
    ),
    "both-classes": (
        sets(digits_train={"classes": [1], "classes_file": "imagenet"}),
        "give `classes` or `classes_file`, not both",
    ),
    "semantic": (sets(faces={"semantic": 1}), "levels of shift, and skimage-faces is of `windows`"),
    "listed": (
        sets(digits_train={"stored": "listed"}),
        "digits is made by the reader `digits` and has no files of images to list; leave it out",
    ),
    "models-of-models": (
        {"benchmarks": {"digits-grid": {"models_of": "all-digits", "train": "six-digits-train"}}},
        "all-digits reads models of six-digits itself; name that",
    ),
    "shifted-of-shifted": (
        nested("datasets", "digits-shifted", "base", "digits-grid"),
        "digits-grid is shifted itself",
    ),
    "no-such-split-of-another": (
        nested("datasets", "digits-shifted", "other", "split", "train"),
        "skimage-photographs: unknown split 'train'",
    ),
    "negative-class": (
        sets(digits_train={"classes": [0, -5]}),
        r"image_sets\.digits-train\.classes\.1: -5 is less than the minimum of 0",
    ),
    "nul": ({"data_root": "a\0b"}, r"data_root: the text holds a NUL character; take it out"),
    "empty-recipe": ({"recipes": {"new": {}}}, r"recipes\.new: no method; there is no default"),
    "bare-recipe": (
        {"recipes": {"new": {"method": "uat"}}},
        "new: no epochs, batch_size",
    ),
    "backbone-extends": (
        nested("recipes", "standard", "backbones", "wrn", "extends", "uat"),
        r"recipes\.standard\.backbones\.wrn\.extends: .*extend nothing",
    ),
    "backbone-method": (
        nested("recipes", "standard", "backbones", "wrn", "method", "pgd"),
        "method pgd reads no `uat`; drop it",
    ),
    "inner-attack": (
        nested("recipes", "uat", "uat", "inner_attack", {"eps": 0.1}),
        r"recipes\.uat\.uat\.inner_attack: no step, steps, random_start",
    ),
    "filter-null": (
        nested("recipes", "bad-ood", "outliers", "filter", None),
        r"recipes\.bad-ood\.outliers: judges score the outliers for a filter, and it has none",
    ),
    "no-calibration": (
        nested("recipes", "detector", "outliers", {"judges": ["detector-fold0"], "filter": "mid"}),
        "goes by calibrated scores; name a calibration of beta",
    ),
    "fold": (
        nested("recipes", "detector-fold0", "outliers", "fold", [5, 2]),
        r"fold: \[5, 2\] is no \[i, k\]",
    ),
    "band": (
        nested("filters", "mid", {"low": 0.9, "high": 0.1}),
        "band 0.9 to 0.1",
    ),
    "recogniser": ({"categories": {"recogniser": "clip"}}, "the recogniser is clip, so say `clip`"),
    "rdm-encoder": (
        nested("outliers", "mixed", "rdm", "moco-l"),
        "moco-l is of the kind encoder; name a part of kind rdm",
    ),
    "encoder-rdm": (nested("parts", "rdm-b", "encoder", "rdm-l"), "rdm-l is no encoder"),
    "part-empty": ({"parts": {"new": {}}}, r"parts\.new: no kind; there is no default"),
    "part-without-images": (
        {"parts": {"new": {"extends": "moco-b", "images": None}}},
        "images: None is not of type 'string'",
    ),
    "outliers-empty": ({"outliers": {"new": {}}}, r"outliers\.new: no kind; there is no default"),
    "extends-itself": (nested("parts", "rdm-b", "extends", "rdm-b"), "rdm-b extends rdm-b"),
    "circle": (
        {"recipes": {"a": {"extends": "b"}, "b": {"extends": "a"}}},
        "a extends b extends a",
    ),
    "shards": (nested("outliers", "mixed", "shards", 10**6), "greater than the maximum"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_makes_no_sense_is_refused(world, name):
    over, message = NONSENSE[name]
    with pytest.raises(PenumbraError, match=message) as error:
        world(over)
    assert all(": " in row for row in str(error.value).splitlines())


def test_sets_apart_by_classes_shares_or_levels_may_stand_together(world):
    apart = sets(
        low={**HALVES, "share": [0.0, 0.5]},
        high={**HALVES, "share": [0.5, 1.0]},
        even={**HALVES, "classes": [0, 2]},
        odd={**HALVES, "classes": [1, 3]},
        named={**HALVES, "classes": ["7"]},
        one={**SHIFTED, "covariate": 1},
        two={**SHIFTED, "covariate": 2},
        again={**SHIFTED, "covariate": 2, "limit": 5},
    )
    made = world(apart)
    for pair in (("low", "high"), ("even", "odd"), ("one", "two"), ("digits-train", "digits-test")):
        assert not common(made, *pair), pair
    for pair in (("low", "even"), ("named", "odd"), ("two", "again"), ("high", "digits-train")):
        assert common(made, *pair), pair


NAMES = {
    "image_sets.faces.dataset": nested("image_sets", "faces", "dataset", "x"),
    "image_sets.faces.classes_file": nested("image_sets", "faces", "classes_file", "x"),
    "benchmarks.digits.train": digits(train="x"),
    "benchmarks.digits.shifted.0": digits(shifted=["x"]),
    "benchmarks.digits.ood.far.1": digits(ood={"far": ["faces", "x"]}),
    "benchmarks.all-digits.models_of": nested("benchmarks", "all-digits", "models_of", "x"),
    "roles.main": {"roles": {"main": "x"}},
    "backbones.wrn.network": nested("backbones", "wrn", "network", "x"),
    "recipes.uat.extends": nested("recipes", "uat", "extends", "x"),
    "recipes.uat-alpha0.5.extends": nested("recipes", "uat-alpha0.5", "extends", "x"),
    "recipes.uat.backbones.x": nested("recipes", "uat", "backbones", {"x": {}}),
    "recipes.detector.outliers.set": nested("recipes", "detector", "outliers", "set", "x"),
    "recipes.bad-ood.outliers.judges.0": nested("recipes", "bad-ood", "outliers", "judges", ["x"]),
    "recipes.bad-ood.outliers.filter": nested("recipes", "bad-ood", "outliers", "filter", "x"),
    "scorers.msp.module": nested("scorers", "msp", "module", "x"),
    "scorers.knn.benchmarks.x": nested("scorers", "knn", "benchmarks", {"x": {}}),
    "scorers.knn.backbones.x": nested("scorers", "knn", "backbones", {"x": {}}),
    "parts.rdm-b.encoder": nested("parts", "rdm-b", "encoder", "x"),
    "parts.rdm-b.images": nested("parts", "rdm-b", "images", "x"),
    "outliers.mixed.rdm": nested("outliers", "mixed", "rdm", "x"),
    "outliers.mixed.generator": nested("outliers", "mixed", "generator", "x"),
    "calibrations.beta.module": nested("calibrations", "beta", "module", "x"),
    "categories.classifier.recipe": nested("categories", "classifier", "recipe", "x"),
    "tables.0": {"tables": ["x"]},
    "figures.0": {"figures": ["x"]},
}


@pytest.mark.parametrize("key", NAMES)
def test_a_name_that_nothing_answers_to_is_told_with_its_key(world, key):
    with pytest.raises(PenumbraError, match=rf"{key}: unknown .* 'x'; .*valid: "):
        world(NAMES[key])


def test_all_unknown_names_and_all_nonsense_are_told_at_once(world):
    over = merge({"roles": {"main": "digit"}}, nested("scorers", "msp", "module", "mps"))
    over = merge(over, nested("recipes", "uat", "extends", "standrad"))
    over = merge(over, nested("image_sets", "faces", "split", "tset"))
    with pytest.raises(PenumbraError) as error:
        world(over)
    rows = str(error.value).splitlines()
    assert len(rows) == 4
    for name in ("'digits'", "'msp'", "'standard'", "'test'"):
        assert sum(f"did you mean {name}" in row for row in rows) == 1


def test_a_table_among_figures_says_where_it_belongs(world):
    with pytest.raises(PenumbraError) as error:
        world({"tables": ["badood_figure01"], "figures": ["uat_table01"]})
    assert "tables.0: badood_figure01 is one of the figures" in str(error.value)
    assert "figures.0: uat_table01 is one of the tables" in str(error.value)


def test_every_name_that_the_schema_declares_is_of_a_kind_that_is_answered(world):
    made = world()
    kinds = {
        one.kind for one in references(made.config, made.schema("config"), made.schema("config"))
    }
    assert {"image_sets", "recipes", "parts", "tables"} <= kinds <= set(made.answers())


def test_a_long_chain_is_refused_at_once(world):
    chain = {f"c{i}": {"extends": f"c{i - 1}" if i else "standard"} for i in range(1500)}
    with pytest.raises(PenumbraError, match="c63: more than 64 entries extend each other") as error:
        world({"recipes": chain})
    assert len(str(error.value).splitlines()) == 1


def test_data_of_a_figure_are_asked_for_with_the_figure(world):
    grid = {"datasets": {}, "image_sets": {"grid": {"dataset": "synis"}}, "data_root": "nowhere"}
    made = world({**grid, "tables": ["uat_table01"]})
    required(made)
    require_figure(made, "uat_figure03")
    with pytest.raises(PenumbraError, match=r"data set synis .* is missing"):
        require_figure(made, "badood_figure06")
    with pytest.raises(PenumbraError, match=r"data set synis .* is missing"):
        Figures(made).files({"figure": "badood_figure06"})
    with pytest.raises(PenumbraError, match=r"data set synis .* is missing"):
        Images(made).present({"image_set": "grid"})
    assert Images(made).present({"image_set": "faces"}) == []


def scores(world):
    return Scores(world, Readings(world), Tables(world))


class Wildcards(dict):
    """As Snakemake gives them: by attribute and by name."""

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]


def wildcards(**more):
    model = {"benchmark": "digits", "backbone": "resnet34", "recipe": "standard", "seed": "0"}
    return Wildcards({**model, "input": "clean", **more})


TARGETS_OF = {
    "recipes": {"turned": {"extends": "standard", "method": "rotloss"}},
    "calibrations": {"of-phi": {"module": "beta", "input": "sigmoid_phi", "prior": "empirical"}},
}
TARGETS = {
    "energies of rotloss": (
        lambda w: Calibration(w).images(wildcards(recipe="turned")),
        "recipe turned trains without labels, for features alone",
    ),
    "phi of standard": (
        lambda w: Calibration(w).calibrations_spec(wildcards(calibration="of-phi")),
        "calibrations.of-phi: its input is phi, which recipe standard does not train",
    ),
    "selections of standard": (
        lambda w: Calibration(w).scored(wildcards()),
        "recipe standard trains on no outlier set",
    ),
    "selections of detector": (
        lambda w: Calibration(w).scored(wildcards(recipe="detector")),
        "recipe detector keeps all outliers",
    ),
    "latency of msp": (
        lambda w: scores(w).timed_block(wildcards(scorer="msp")),
        "latency is measured of block scorers only",
    ),
    "seed00": (lambda w: Models(w).train(wildcards(seed="00")), "seed00: write seed0"),
    "0of0": (
        lambda w: Outliers(w).anchors(wildcards(outliers="mixed", shard="0of0")),
        r"no shard 0of0; outliers\.mixed\.shards makes 0of1",
    ),
    "5of2": (
        lambda w: Readings(w).model(wildcards(shard="5of2")),
        r"no shard 5of2; compute\.shards makes 0of1",
    ),
    "godin": (
        lambda w: scores(w).fitted(wildcards(scorer="godin")),
        "standard trains no GODIN head",
    ),
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_cannot_be_says_why(world, target):
    ask, message = TARGETS[target]
    with pytest.raises(PenumbraError, match=message):
        ask(world(TARGETS_OF))


def test_shards_of_a_reading_have_the_names_that_their_jobs_make(world):
    made = world({"compute": {"shards": 3}})
    assert shard_names(made.config["compute"]["shards"]) == ["0of3", "1of3", "2of3"]
    assert Readings(made).model(wildcards(shard="2of3"))
    with pytest.raises(PenumbraError, match="makes 0of3 to 2of3"):
        Readings(made).model(wildcards(shard="3of3"))


def at(**paths):
    """Data sets of one split each, by the path that it names."""
    entry = {"title": "Mine", "reader": "stored", "labelled": False, "size": 16}
    made = {name: entry | {"splits": {"all": {"path": path}}} for name, path in paths.items()}
    images = {name: {"dataset": name, "split": "all"} for name in paths}
    return {"datasets": made, "image_sets": images, "data_root": "/there"}


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("a/b", "a/b", True),
        ("a/b", "/there/a/./b", True),
        ("a", "a/b/c", True),
        (["a/x.parquet", "b.parquet"], "b.parquet", True),
        (["a/x.parquet", "b.parquet"], "a", True),
        ("a/b", "a/bc", False),
        ("a.txt", "b.txt", False),
    ],
)
def test_paths_that_hold_each_other_share_images(world, one, other, meet):
    made = world(at(one=one, other=other))
    assert common(made, "one", "other") == common(made, "other", "one") == meet
