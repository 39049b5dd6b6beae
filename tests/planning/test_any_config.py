"""Whatever one key of a config or a table is changed to: a plan, or an error that names the key.

PENUMBRA_EXAMPLES and PENUMBRA_CALLS say how many are tried, in this process and as real calls.
"""

import os
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.planning.checks import check
from penumbra.planning.config import merge
from penumbra.planning.figures import Figures
from penumbra.planning.models import Models
from penumbra.planning.readings import Readings
from penumbra.planning.requirements import require
from penumbra.planning.resources import Demands
from penumbra.planning.scores import Scores
from penumbra.planning.tables import Tables
from penumbra.planning.world import World
from penumbra.planning.yaml_files import load_yaml
from tests.planning.helpers import lay_data
from tests.planning.mutations import mutated

EXAMPLES = int(os.environ.get("PENUMBRA_EXAMPLES", "60"))
CALLS = int(os.environ.get("PENUMBRA_CALLS", "1"))
LONGEST = 20  # seconds of this process, however busy the machine is
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
WORLDS = {
    "embedded": (),
    "cifar": ("cifar",),
    "cifar-variants": ("cifar", "cifar-jpeg", "cifar-cpu", "cifar-variants"),
    "tiny-imagenet": ("tiny-imagenet", "tiny-imagenet-cpu"),
    "imagenet": ("imagenet",),
}
QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PENUMBRA_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(root):
    return root / "config"


@pytest.fixture(scope="module")
def world(folder, tmp_path_factory):
    """Each world's config, with data and weights that lie there by name."""
    there = tmp_path_factory.mktemp("there")
    lay_data(folder, there)
    (there / "clip-vit-base-patch16").mkdir()
    (there / "clip-vit-base-patch16/config.json").write_text('{"model_type": "clip"}')

    def make(name):
        config = load_yaml(folder / "config.yaml")
        for file in WORLDS[name]:
            config = merge(config, load_yaml(folder / f"{file}.yaml"))
        config |= {"data_root": str(there), "weights_root": str(there)}
        recipes = filter(None, config["recipes"].values())
        given = [recipe["pretrained"] for recipe in recipes if "pretrained" in recipe]
        for entry in (*filter(None, config["parts"].values()), *given):
            if isinstance(entry.get("weights"), str):
                (there / entry["weights"]).parent.mkdir(parents=True, exist_ok=True)
                (there / entry["weights"]).touch()
        return config

    return make


def plan(config, folder, file):
    """What a call does before its first job: refuses, or asks what most jobs read."""
    world = World(config, folder, [file])
    check(world)
    tables = Tables(world)
    require(world, tables)
    for table in world.config["tables"]:
        for asked in (tables.cells, tables.images, tables.selections, tables.shortcuts):
            asked({"table": table})
        for asked in (tables.reported, tables.spec):
            asked({"table": table})
    for figure in world.config["figures"]:
        figures = Figures(world)
        figures.files({"figure": figure})
        figures.spec({"figure": figure})
    readings = Readings(world)
    scores = Scores(world, readings, tables)
    for model, shown in tables.shown_scorers().items():
        names = dict(zip(("benchmark", "backbone", "recipe", "seed", "input"), model, strict=True))
        _plan_model(world, names, readings)
        for scorer in shown:
            _plan_score(scores, {**names, "scorer": scorer})


def _plan_model(world, names, readings):
    models = Models(world)
    own = {**names, "benchmark": world.trained_on(names["benchmark"])}
    for asked in (models.train, models.outliers, models.selection, models.spec):
        asked(own)
    for rule in ("models", "outputs", "scores"):
        Demands(world).minutes(rule)(own, 1)
    for asked in (readings.model, readings.map, readings.all_images, readings.outputs_spec):
        asked(names)


def _plan_score(scores, names):
    for asked in (scores.fitted, scores.scores_spec):
        asked(names)


def told(config, folder, file):
    """What is wrong; empty where there is a plan."""
    file.write_text(yaml.dump(config, Dumper=DUMPER, allow_unicode=True, sort_keys=False))
    start = time.process_time()
    try:
        plan(load_yaml(file), folder, file)
    except (PenumbraError, WorkflowError) as error:
        return str(error)
    finally:
        assert time.process_time() - start < LONGEST
    return ""


def names_key(text, path):
    """Whether an error says which key it is about, or in which line of the file.

    An added key of a letter or two may stand anywhere, so that the key above it has to be named.
    """
    words = [key for key in path if isinstance(key, str) and len(key.strip()) > 2]
    told = re.sub(r"\S*/\S*?(?=:)", "", text)  # without paths of files
    return not text or any(word in told for word in words[-2:]) or re.search(r"yaml:\d+: ", text)


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_that_is_right_has_a_plan(name, world, folder, tmp_path):
    assert told(world(name), folder, tmp_path / "own.yaml") == ""


@pytest.mark.parametrize("name", WORLDS)
def test_any_key_of_a_world(name, world, folder, tmp_path):
    right = world(name)

    @settings(QUIET, max_examples=max(1, EXAMPLES // len(WORLDS)))
    @given(mutated(right))
    def try_one(change):
        text = told(change.config, folder, tmp_path / "own.yaml")
        assert names_key(text, change.path), text

    try_one()


def test_any_key_of_a_table_or_figure(world, folder, tmp_path):
    right = world("embedded")
    (tmp_path / "tables").mkdir()
    files = {name: folder / f"tables/{name}.yaml" for name in [*right["tables"], *right["figures"]]}

    @settings(QUIET)
    @given(st.data())
    def try_one(data):
        name = data.draw(st.sampled_from(sorted(files)))
        change = data.draw(mutated(load_yaml(files[name])))
        own = tmp_path / f"tables/{name}.yaml"
        own.write_text(yaml.dump(change.config, Dumper=DUMPER, allow_unicode=True))
        kind = "figures" if name in right["figures"] else "tables"
        shown = ["uat_table01"] if name == "uat_ranks_figure" else []
        asked = {**right, "tables": shown, "figures": [], kind: [name]}
        text = told(asked, folder, tmp_path / "own.yaml")
        own.unlink()
        assert names_key(text, change.path) or f"{name}.yaml: " in text, text

    try_one()


def test_real_calls(world, checkout: Path):
    """The same by Snakemake itself: never a traceback."""
    right = world("embedded")

    @settings(QUIET, max_examples=CALLS)
    @given(mutated(right))
    def try_one(change):
        text = yaml.dump(change.config, Dumper=DUMPER, allow_unicode=True, sort_keys=False)
        (checkout.folder / "config/config.yaml").write_text(text)
        done = checkout.snakemake("-n", check=False)
        assert "Traceback" not in done.output
        assert done.returncode == 0 or names_key(done.output, change.path), done.output[-3000:]

    try_one()
