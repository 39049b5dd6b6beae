"""What jobs ask Slurm for follows from the work that they have."""

import copy
import re
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from penumbra.networks.inference import build
from penumbra.planning import demands, work
from penumbra.planning.config import merge
from penumbra.planning.specs import network
from penumbra.planning.world import World

MODEL = {"benchmark": "digits", "backbone": "resnet18", "recipe": "standard", "seed": "0"}


class Names(SimpleNamespace):
    """Wildcards, as Snakemake gives them: by attribute and by name."""

    def __getitem__(self, name):
        return getattr(self, name)


def wildcards(**more):
    return Names(**{**MODEL, "input": "clean", **more})


@pytest.fixture
def world(root):
    def make(over=None, overlays=()):
        files = [root / f"config/{name}.yaml" for name in ("config", *overlays)]
        config = {}
        for file in files:
            config = merge(config, yaml.safe_load(file.read_text()))
        return World(merge(copy.deepcopy(config), over or {}), root / "config", files)

    return make


OVERLAYS = [
    (),
    ("cifar",),
    ("cifar", "cifar-cpu"),
    ("tiny-imagenet",),
    ("tiny-imagenet", "tiny-imagenet-cpu"),
    ("imagenet",),
]


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_the_arithmetic_of_every_backbone_is_about_what_is_counted(world, overlays):
    made = world(overlays=overlays)
    role = "main" if "cifar" in overlays else "badood"
    side = made.size(made.config["benchmarks"][made.config["roles"][role]]["train"])
    for backbone in made.config["backbones"]:
        options = network(made, backbone)[0]
        if "image_size" in options and options["image_size"] != side:
            continue  # a backbone of the other paper's images
        model = build(options, 10).eval()
        with FlopCounterMode(display=False) as counted, torch.inference_mode():
            model(torch.zeros(1, 3, side, side))
        gflop, features = work.network(made, backbone, side)
        assert 0.4 < 1e9 * gflop / counted.get_total_flops() < 2.5, (backbone, gflop)
        assert features == model.fc.weight.shape[1]


def test_more_epochs_images_and_retries_ask_for_more(world):
    small, wc = world(), wildcards()
    longer = world({"recipes": {"standard": {"epochs": 500}}})
    assert demands.minutes(longer, "models", wc, 1) > 2 * demands.minutes(small, "models", wc, 1)
    larger = world({"image_sets": {"digits-train": {"count": 500_000}}})
    for ask in (demands.minutes, demands.mem_mb):
        assert ask(larger, "models", wc, 1) > 2 * ask(small, "models", wc, 1)
        assert ask(small, "models", wc, 3) == 3 * ask(small, "models", wc, 1)
    assert demands.minutes(longer, "models", wc, 10_000) == small.config["compute"]["longest"]
    assert demands.mem_mb(longer, "models", wc, 10_000) == small.config["compute"]["memory"]
    scored = world({"image_sets": {"digits-test": {"count": 5_000_000}}})
    of_scorer = wildcards(scorer="knn")
    more, less = (demands.minutes(made, "arrays", of_scorer, 1) for made in (scored, small))
    assert more > 2 * less


def test_methods_that_pass_more_often_ask_for_longer(world):
    made = world({"recipes": {"standard": {"epochs": 1000}}})
    asked = {
        recipe: demands.minutes(made, "models", wildcards(recipe=recipe), 1)
        for recipe in ("standard", "uat", "pgd", "detector")
    }
    assert asked["standard"] < asked["uat"] < 1.2 * asked["standard"]
    assert asked["pgd"] > 2 * asked["standard"]


def test_shards_share_time_and_not_the_fit(world):
    sets = {"image_sets": {"digits-test": {"count": 10_000_000}}}
    whole, half = world(sets), world({**sets, "compute": {"shards": 10}})
    for rule in ("outputs", "scores_network"):
        wc = wildcards(scorer="odin", shard="0of10")
        few, many = (demands.minutes(made, rule, wc, 1) for made in (half, whole))
        assert 0.08 < (few - demands.START) / (many - demands.START) < 0.12
    # However many images there are, one part of them is held.
    assert demands.mem_mb(whole, "outputs", wildcards(), 1) < 4000


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Resources of every job of the embedded world and of a GPU world, by rule."""
    from tests.conftest import Checkout

    made = Checkout(tmp_path_factory.mktemp("planned"))
    (made.folder / "gpu.yaml").write_text("compute: {device: cuda, gpus: 1}\n")
    found = {}
    for name, config in (("cpu", ()), ("gpu", ("--configfile", "gpu.yaml"))):
        text = made.snakemake("all_tables", "all_figures", "-n", *config).output
        found[name] = {}
        for block in re.split(r"\n(?=(?:local)?rule )", text):
            head = re.match(r"(?:local)?rule (\w+):", block)
            asked = re.search(r"^    resources: (.*)$", block, re.MULTILINE)
            if head and asked and not head[1].startswith(("all_", "uat_", "badood_")):
                pairs = dict(part.split("=", 1) for part in asked[1].split(", "))
                found[name].setdefault(head[1], []).append(pairs)
    return found


def test_every_job_states_memory_and_time(planned):
    for jobs in planned.values():
        assert len(jobs) >= 20
        for rule, asked in jobs.items():
            for job in asked:
                assert int(job["mem_mb"]) >= 1000, rule
                assert 2 <= int(job["runtime"]) <= 2880, rule


def test_only_jobs_with_a_network_ask_for_a_gpu(planned):
    with_gpu = {
        *("models", "parts", "representations", "embeddings", "outliers", "categories", "energies"),
        *("outputs", "statistics", "latency", "fits_network", "scores_network"),
    }
    for rule, asked in planned["gpu"].items():
        wanted = "1" if rule in with_gpu else None
        assert {job.get("gpu") for job in asked} == {wanted}, rule
    for asked in planned["cpu"].values():
        assert {job.get("gpu", "0") for job in asked} == {"0"}
