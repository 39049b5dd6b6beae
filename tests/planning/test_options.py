"""Options of every kind are checked while planning: names, types, ranges, what goes together."""

import copy
import json

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning.config import Files, load_yaml, merge
from penumbra.planning.options import problems
from tests.planning.helpers import checked

NAN, INF = float("nan"), float("inf")
NETWORKS = "valid: clip, python, resnet, resnetv2, t2t_vit, timm, torchvision, vgg11, vit, wrn"


@pytest.fixture(scope="module")
def config(root):
    return load_yaml(root / "config/config.yaml")


@pytest.fixture
def told(root, config, tmp_path):
    """What is said of the embedded world with a file laid over it.

    Numbers that are not finite come by the command line: no file may hold them.
    """

    def make(over):
        own = tmp_path / "own.yaml"
        own.write_text(json.dumps(over))  # which quotes texts
        finite = "NaN" not in own.read_text() and "Infinity" not in own.read_text()
        files = [root / "config/config.yaml", *([own] if finite else [])]
        return problems(merge(copy.deepcopy(config), over), Files(files))

    return make


def at(path, value):
    """{"a": {"b": value}} of "a/b"."""
    first, _, rest = path.partition("/")
    return {first: at(rest, value) if rest else value}


@pytest.mark.parametrize("world", ["config", "cifar", "imagenet", "tiny-imagenet"])
def test_every_shipped_world_passes(root, config, world):
    for file in sorted((root / "config").glob(f"{world}*.yaml")):
        assert problems(merge(config, load_yaml(file)), Files([file])) == []


BACKBONE, HEAD = "backbones/resnet18/options/", "recipes/godin/head/similarity"
STANDARD, UAT = "recipes/standard/", "recipes/uat/uat/"
MOCO, RDM, MAGE = "parts/moco-b/", "parts/rdm-b/", "parts/mage-b/"
GUIDANCE, DECODING = "outliers/mixed/guidance/", "outliers/mixed/decoding/"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (BACKBONE + "widht", 4, "unknown key 'backbones.resnet18.options.widht'; did you mean"),
        (BACKBONE + "width", 0, "0 is not at least 1"),
        (BACKBONE + "width", "4", "'4' is not of type 'integer'"),
        (BACKBONE + "width", True, "True is not of type 'integer'"),
        (BACKBONE + "width", NAN, "nan is not of type 'integer'"),
        ("backbones/t2t-vit/options/heads", 7, "width 48 is no even multiple of 7 heads"),
        ("backbones/vit/options/heads", 5, "width 48 is no multiple of 5 heads"),
        ("backbones/vit/options/patch", 5, "image_size 16 is no multiple of 5 patch"),
        ("backbones/vit/options/dropout", 1.0, r"1.0 is not in \[0, 1\)"),
        ("backbones/wrn/options/depth", 11, "11 is not a multiple of 6 plus 4"),
        ("backbones/resnet50/options/stem", "cifa", "unknown stem 'cifa'; did you mean 'cifar'"),
        ("backbones/wrn/network", "nope", f"unknown network 'nope'; {NETWORKS}"),
        ("backbones/wrn/missing", "omit", "only weights of a `folder` in its options may be"),
        ("backbones/wrn/network", "graphs", f"unknown network 'graphs'; {NETWORKS}"),
        (
            "backbones/wrn/network",
            "resnet19",
            "unknown network 'resnet19'; did you mean 'resnet'",
        ),
        (HEAD, "cosin", "unknown similarity 'cosin'; did you mean 'cosine'"),
        (STANDARD + "lr", NAN, "nan is no finite number"),
        (STANDARD + "lr", 0, "0 is not above 0"),
        (STANDARD + "lr", -0.1, "-0.1 is not above 0"),
        (STANDARD + "lr", "5e-4", "'5e-4' is not of type 'number'. .*wants 5.0e-4"),
        (STANDARD + "epochs", 0, "0 is not at least 1"),
        (STANDARD + "epochs", True, "True is not of type 'integer'"),
        (STANDARD + "batch_size", 0, "0 is not at least 2"),
        (STANDARD + "momentum", 1, r"1 is not in \[0, 1\)"),
        (STANDARD + "nesterov", 1, "1 is not of type 'boolean'"),
        (STANDARD + "precision", "float16", "unknown precision 'float16'"),
        (
            STANDARD + "lrr",
            1,
            "unknown key 'recipes.standard.lrr'; did you mean 'recipes.standard.l",
        ),
        (
            STANDARD + "method",
            "uatt",
            "unknown method 'uatt'; did you mean 'uat'.*valid: .*energy, focal, .*pgd",
        ),
        (STANDARD + "uat", {"tau": 3}, "method standard reads no `uat`"),
        (STANDARD + "backbones/vgg11/lr", 0, "backbones.vgg11.lr: 0 is not above 0"),
        (STANDARD + "schedule/milestones", [0.75, 0.5], "is not in rising order"),
        (STANDARD + "schedule/milestones", [0.5, 1], r"1 is not in \(0, 1\)"),
        (STANDARD + "schedule/milestones", None, "kind multistep needs its milestones"),
        (STANDARD + "schedule", 3, "3 is not of type mapping"),
        (STANDARD + "augment/crop_scale", [0.9, 0.1], "is not in rising order"),
        (STANDARD + "augment/crop_scale", [0.1, 0.9], "exclude each other"),
        (
            STANDARD + "backbones/t2t-vit/augment",
            {"crop_scale": [0.1, 0.9]},
            r"exclude each other.* \(they meet for backbone t2t-vit\)$",
        ),
        (STANDARD + "augment/flip", "no", "'no' is not of type 'boolean'"),
        (UAT + "tua", 3, "unknown key 'recipes.uat.uat.tua'; did you mean 'recipes.uat.uat.tau'"),
        (UAT + "alpha", INF, "inf is no finite number"),
        (UAT + "clip", "x", "'x' is not of type 'number', not 'alpha'"),
        (UAT + "position", "front", "unknown position 'front'"),
        (UAT + "inner_attack", {"eps": 0.1}, "no step, steps, random_start; there is no default"),
        ("recipes/pgd/pgd/steps", 2.5, "2.5 is not of type 'integer'"),
        ("recipes/detector/energy/beta", NAN, "nan is no finite number"),
        ("recipes/detector/outliers/fold", [5, 2], r"\[5, 2\] is no \[i, k\]"),
        ("recipes/new", {"extends": "standard", "uat": {}}, "method standard reads no `uat`"),
        ("recipes/new", {"extends": "godin", "method": "rotloss"}, "drop the `head`, or say null"),
        (
            "recipes/new",
            {"method": "standard"},
            "no epochs, batch_size, lr, .*; there is no default",
        ),
        ("recipes/new", {"method": "zero_shot", "zero_shot": {"prompt": "a"}}, "without {}"),
        ("scorers/knn/module", "nope", "unknown module 'nope'"),
        ("scorers/knn/options/k", "50", "'50' is not of type 'integer'"),
        ("scorers/knn/options/k", -1, "-1 is not at least 1"),
        (
            "scorers/knn/options/kk",
            1,
            "unknown key 'scorers.knn.options.kk'; did you mean 'scorers.knn.options.k'",
        ),
        ("scorers/knn/benchmarks/digits/options/k", 0, "digits.options.k: 0 is not at least 1"),
        ("scorers/energy/options/temperature", -1, "-1 is not above 0"),
        ("scorers/scale/options/percentile", 101, r"101 is not in \[0, 100\)"),
        ("scorers/odin/options/eps", NAN, "nan is no finite number"),
        ("scorers/ccfn/options/calibration", "maxi", "unknown calibration 'maxi'; did you mean"),
        ("scorers/pro/options/temperature", 2.0, "variant gen: unknown parameter 'temperature'"),
        ("scorers/adascale-a/options/low", 90.0, "low 90 is above high 85"),
        ("scorers/react/fit/percentile", 101, r"101 is not in \[0, 100\]"),
        ("scorers/scale/fit/percentile", 70.0, "module scale fits nothing"),
        ("scorers/nac/fit/layers/level1", {"full": 1, "alpha": 1}, "no bins; there is no default"),
        (MOCO + "options/heads", 7, "width 48 is no multiple of 7 heads"),
        (MOCO + "options/patch", 5, "image_size 16 is no multiple of 5 patch"),
        (MOCO + "training/objective/views/blur", NAN, "nan is no finite number"),
        (MOCO + "training/objective/momentum_schedule", "linear", "unknown momentum_schedule"),
        (
            MOCO + "kind",
            "data",
            "unknown kind 'data'.*valid: autoencoder, ddpm, dit, encoder, ldm, mage, rdm, st",
        ),
        (RDM + "options/bottleneck", 0, "0 is not at least 1"),
        (RDM + "options/width", 33, "33 is not a multiple of 2"),
        (RDM + "training/objective/x", 1, "nothing may be chosen here"),
        ("parts/tokenizer/options/width", 48, "take at most 32, or a multiple of 32"),
        (MAGE + "training/warmup_epochs", 50, "warmup_epochs 50 of 40 epochs"),
        (MAGE + "training/betas", [0.9], "is not a list of 2"),
        (MAGE + "training/lrr", 1, "unknown key 'parts.mage-b.training.lrr'; did you mean"),
        ("parts/dit-1/options/heads", 5, "width 96 is no multiple of 5 heads"),
        ("parts/ddpm/options/attention", [True], "1 levels in attention, 2 in multipliers"),
        ("parts/ddpm/options/image_size", 17, "17 pixels cannot be halved 1 times"),
        ("parts/ddpm/options/width", 48, "width 48 is above 32 and no multiple of it"),
        ("parts/ldm-1/options/attention", [True], "1 levels in attention, 2 in multipliers"),
        ("outliers/dit-1/decoding", {"temperature": 4.0}, "unknown key 'outliers.dit-1.decoding.t"),
        (GUIDANCE + "grid", 300, "no DDIM grid of 300 steps"),
        (GUIDANCE + "start", 1000, "beyond the RDM's schedule"),
        (GUIDANCE + "scales", [], "is empty, or has an entry twice"),
        (GUIDANCE + "scale", 1, "unknown key 'outliers.mixed.guidance.scale'; did you mean"),
        (DECODING + "temperature", INF, "inf is no finite number"),
        (DECODING + "eta", 1, "unknown key 'outliers.mixed.decoding.eta'"),
        ("calibrations/beta/module", "nope", "unknown module 'nope'; valid: beta, bet"),
        (
            "calibrations/beta/module",
            "logistic",
            "valid: beta, betacal, isotonic, platt, temp",
        ),
        ("calibrations/beta/options", {"parameters": "abc"}, "unknown parameters 'abc'"),
        ("calibrations/beta/input", "energy", "unknown input 'energy'"),
        ("calibrations/beta/prior", "flat", "unknown prior 'flat'"),
        ("filters/mid/low", 0.9, "band 0.9 to 0.5"),
        ("filters/mid/mode", "bnd", "unknown mode 'bnd'; did you mean 'band'"),
        (
            "filters/mid/hihg",
            0.9,
            "unknown key 'filters.mid.hihg'; did you mean 'filters.mid.high'",
        ),
    ],
)
def test_a_bad_option_is_named_with_its_file_and_key(told, path, value, message):
    found = told(at(path, value))
    assert found
    with pytest.raises(PenumbraError, match=message):
        raise PenumbraError("\n".join(found))
    nowhere = {NAN: "config.yaml: ", INF: "command line (--config): "}
    file = nowhere.get(value, "own.yaml: ") if isinstance(value, float) else "own.yaml: "
    assert all(file in line for line in found)
    assert any(path.split("/")[1] in line for line in found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (STANDARD + "lr", 1),  # an integer where a number is wanted
        (UAT + "clip", None),
        (UAT + "clip", 0.5),
        (
            UAT + "inner_attack",
            {"eps": 0.1, "step": 0.1, "steps": 1, "random_start": True},
        ),
        ("scorers/knn/backbones/wrn/options/k", 5),
        ("recipes/new", {"extends": "standard", "schedule": {"kind": "cosine"}}),
        ("recipes/new", {"method": "zero_shot", "zero_shot": {"prompt": "a {}"}}),
        ("parts/given", {"kind": "encoder", "weights": "x.pth"}),
    ],
)
def test_a_good_option_passes(told, path, value):
    assert told(at(path, value)) == []


@pytest.mark.parametrize(
    "over",
    [
        {"recipes": 3},
        {"recipes": {"standard": {"backbones": 3}}},
        {"recipes": {"new": {"extends": ["x"]}}},
        {"filters": {"new": None}},
        {"scorers": {"knn": {"options": 3, "fit": 4, "benchmarks": []}}},
        {"backbones": {"wrn": {"options": [1], "head": 3}}},
        {"parts": {"rdm-b": {"training": 3, "options": None}}},
        {"outliers": {"mixed": {"guidance": 3, "generator": ["x"], "decoding": None}}},
        {"filters": {"mid": 3}},
        {"calibrations": {"beta": {"module": ["x"], "options": 3}}},
    ],
)
def test_a_config_of_another_shape_is_no_traceback(root, config, over):
    with pytest.raises(PenumbraError):
        checked(merge(copy.deepcopy(config), over), root / "config", [root / "config/config.yaml"])


def test_all_that_is_wrong_is_told_at_once_and_each_thing_once(told):
    over = merge(at(STANDARD + "lr", NAN), at("scorers/knn/options/k", 0))
    over = merge(over, at("compute/threads/modles", 1))
    found = told(over)
    assert len(found) == 2  # though all recipes extend standard
    assert "recipes.standard.lr: nan" in found[0]


def test_the_schema_and_the_options_are_told_of_together(root, config):
    over = merge(at(STANDARD + "lr", -1), at("compute/treads", 1))
    with pytest.raises(PenumbraError, match=r"(?s)compute\.treads.*standard\.lr: -1"):
        checked(merge(copy.deepcopy(config), over), root / "config", [root / "config/config.yaml"])
