"""The JSON schema that editors are given: made of the structure and of what options state."""

import json
import subprocess
import sys

import pytest

from penumbra.options.check import stated
from penumbra.planning.config import load_yaml, merge
from penumbra.planning.schema import FOLDER, for_editors, structure, with_options
from penumbra.planning.validation import VALIDATOR
from penumbra.plugins import load

CATALOGUES = ("datasets", "weights")
WORLDS = sorted(file.stem for file in FOLDER.glob("*.yaml") if file.stem not in CATALOGUES)


@pytest.fixture(scope="module")
def schema():
    made = for_editors()
    VALIDATOR.check_schema(made)
    return made


@pytest.fixture(scope="module")
def wrong(schema):
    """The keys at which a config is wrong."""

    def keys(config):
        errors = VALIDATOR(schema).iter_errors(config)
        return [".".join(map(str, error.absolute_path)) for error in errors]

    return keys


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_fits_alone_and_laid_over_the_embedded_one(wrong, world):
    config = load_yaml(FOLDER / f"{world}.yaml")
    assert wrong(config) == []
    assert wrong(merge(load_yaml(FOLDER / "config.yaml"), config)) == []


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("confidense", 0.9),
        ("compute.demands.modles", {"seconds": 1}),
        ("recipes.uat.lrr", 0.1),
        ("recipes.uat.lr", "5e-4"),
        ("recipes.uat.lr", 0),
        ("recipes.uat.method", "uatt"),
        ("recipes.uat.uat.tua", 3),
        ("recipes.uat.uat.tau", 0),
        ("recipes.uat.uat.clip", "beta"),
        ("recipes.uat.uat.inner_attack.steps", 2.5),
        ("recipes.uat.backbones.wrn.schedule.kind", "cosin"),
        ("recipes.detector.outliers.fold", [0]),
        ("backbones.wrn.network", "resnet18"),
        ("backbones.wrn.options.depht", 28),
        ("backbones.wrn.options.depth", 9),
        ("recipes.godin.head.similarity", "cosin"),
        ("scorers.knn.module", "nearest"),
        ("scorers.knn.options.k", 0),
        ("scorers.knn.benchmarks.digits.options.k", "50"),
        ("scorers.knn.fit.share", 0.5),
        ("scorers.msp.fit.role", "train"),
        ("scorers.ccfn.options.calibration", "maxi"),
        ("parts.moco-b.options.width", 2),
        ("parts.moco-b.training.objective.views.blur", -1),
        ("parts.moco-b.training.betas", [0.9]),
        ("outliers.mixed.guidance.scale", 0.1),
        ("outliers.mixed.guidance.scales", []),
        ("outliers.mixed.decoding.temperature", "hot"),
        ("calibrations.beta.input", "energy"),
        ("calibrations.beta.prior", "flat"),
        ("calibrations.beta.options.parameters", "abc"),
        ("filters.mid.low", 1.5),
        ("datasets.digits.size", 4),
    ],
)
def test_an_option_that_is_unknown_or_of_another_type_or_range_does_not_fit(wrong, keys, value):
    changed = value
    for key in reversed(keys.split(".")):
        changed = {key: changed}
    config = load_yaml(FOLDER / "config.yaml")
    (place,) = set(wrong(merge(config, changed)))
    assert keys.startswith(place)
    assert place.count(".") >= keys.count(".") - 1


def bare(node, place=""):
    """Properties without a description; arguments, in conditions, have their function's."""
    if isinstance(node, list):
        for value in node:
            yield from bare(value, place)
    elif isinstance(node, dict):
        for name, entry in node.get("properties", {}).items():
            if not {"description", "$ref"} & {*entry}:
                yield f"{place}.{name}"
        for key in {*node} - {"if", "then"}:
            yield from bare(node[key], f"{place}.{key}")


@pytest.mark.parametrize("name", ["config", "datasets", "figure", "table"])
def test_every_key_is_described(schema, name):
    assert [*bare(schema if name == "config" else structure(FOLDER, name))] == []


def test_an_option_is_named_once():
    """Where the structure refers to a class, it names none of what the class states."""

    def check(node):
        if isinstance(node, dict):
            module, _, name = node.get("x-options", "").rpartition(".")
            if module and "properties" in node:
                assert not {*node["properties"]} & {*stated(getattr(load("options", module), name))}
            for value in node.values():
                check(value)

    check(structure(FOLDER, "config"))


def test_names_of_entries_among_the_options_are_known_without_any_module():
    recipe = with_options(structure(FOLDER, "config"))["$defs"]["recipe"]["properties"]
    kinds = {"set": "outliers", "calibration": "calibrations", "filter": "filters"}
    told = json.dumps(recipe["outliers"])
    for key, kind in {**kinds, "judges": "recipes"}.items():
        assert key in recipe["outliers"]["properties"]
        assert f'"x-names": "{kind}"' in told


def test_the_command_prints_it_without_torch(root, schema):
    program = "import sys; from penumbra.cli import main; main(['schema']); "
    done = subprocess.run(
        [sys.executable, "-c", program + "assert 'torch' not in sys.modules"],
        env={"PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == schema
