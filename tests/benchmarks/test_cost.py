"""What worlds cost: arithmetic is torch's own count, and shards are estimated as their rule."""

import pytest
from benchmarks import cost, flops, worlds
from benchmarks.worlds import Job, Wildcards

MODEL = {"benchmark": "digits", "backbone": "resnet18", "recipe": "standard", "seed": "0"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return worlds.made("embedded", tmp_path_factory.mktemp("data"))


def job(rule, **wildcards):
    return Job(rule, Wildcards(**wildcards), (), ())


@pytest.mark.parametrize("rule", ["outputs", "statistics", "scores_network"])
def test_a_shard_is_stated_as_its_rule(world, rule):
    names = {**MODEL, "input": "clean", "scorer": "odin"}
    whole = flops.gflop(world, job(rule, **names))
    shard = flops.gflop(world, job(f"{rule}_shard", **names, shard="0of10"))
    assert 0 < shard < whole
    assert job(f"gather_{rule}").stated == "gather"


@pytest.mark.parametrize(
    ("rule", "of"),
    [
        ("blocks", {k: v for k, v in MODEL.items() if k != "seed"}),
        ("reconstructions", {"benchmark": "digits", "outliers": "mixed"}),
    ],
)
def test_a_job_with_a_network_has_a_count(world, rule, of):
    assert cost.runs_network(job(rule, **of))
    assert flops.gflop(world, job(rule, **of)) > 0


def test_methods_that_pass_more_often_cost_more(world):
    counts = {
        recipe: flops.gflop(world, job("models", **{**MODEL, "recipe": recipe}))
        for recipe in ("standard", "uat", "pgd")
    }
    assert counts["standard"] < counts["uat"] < 1.2 * counts["standard"]
    assert counts["pgd"] > 2 * counts["standard"]


def test_published_parts_count_as_their_papers_say(tmp_path):
    imagenet = worlds.made("imagenet", tmp_path)
    assert flops.part(imagenet, "mocov3-vitl") == pytest.approx(123, rel=0.02)  # ViT-L/16 at 224
    for name in ("rdm-mocov3vitl", "vqgan", "mage-mocov3vitl"):
        assert flops.part(imagenet, name) > 0


def test_every_kind_of_job_of_the_embedded_world_has_arithmetic(world):
    of_set = {"benchmark": "digits", "outliers": "mixed", "shard": "0of1"}
    for made in (
        *(job("parts", part=part) for part in ("moco-b", "rdm-l-classes", "tokenizer", "mage-l")),
        job("representations", part="moco-b", image_set="digits-train"),
        *(job(rule, **of_set) for rule in ("embeddings", "outliers")),
        job("energies", **{**MODEL, "backbone": "resnet34", "recipe": "detector"}),
        job("fits_network", **MODEL, input="clean", scorer="nac"),
    ):
        assert flops.gflop(world, made) > 0, made
    assert flops.gflop(world, job("metrics", **MODEL, input="clean", scorer="nac")) == 0
