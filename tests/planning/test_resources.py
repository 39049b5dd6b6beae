"""What jobs ask Slurm for follows from the work that they have and from what the config states."""

import copy
import re
import shutil

import pytest
import yaml
from benchmarks.worlds import OVERLAYS, Wildcards

from penumbra.errors import PenumbraError
from penumbra.planning import resources
from penumbra.planning.answers import rules
from penumbra.planning.config import merge
from tests.planning.helpers import checked


def minutes(world, rule, names, attempt):
    return resources.Demands(world).minutes(rule)(names, attempt)


def mem_mb(world, rule, names, attempt):
    return resources.Demands(world).mem_mb(rule)(names, attempt)


MODEL = {"benchmark": "digits", "backbone": "resnet18", "recipe": "standard", "seed": "0"}


def wildcards(**more):
    return Wildcards(**{**MODEL, **more})


@pytest.fixture
def world(root):
    def make(over=None, overlays=()):
        files = [root / f"config/{name}.yaml" for name in ("config", *overlays)]
        config = {}
        for file in files:
            config = merge(config, yaml.safe_load(file.read_text()))
        return checked(merge(copy.deepcopy(config), over or {}), root / "config", files)

    return make


def test_more_epochs_images_and_retries_ask_for_more(world):
    small, wc = world(), wildcards()
    longer = world({"recipes": {"standard": {"epochs": 500}}})
    larger = world({"image_sets": {"digits-train": {"count": 500_000}}})
    asked = minutes(small, "models", wc, 1)
    assert minutes(longer, "models", wc, 1) > 2 * asked
    assert minutes(larger, "models", wc, 1) > 2 * asked
    for ask in (minutes, mem_mb):
        assert ask(small, "models", wc, 3) == 3 * ask(small, "models", wc, 1)
    assert minutes(small, "models", wc, 10_000) == small.config["compute"]["longest"]
    assert mem_mb(small, "models", wc, 10_000) == small.config["compute"]["memory"]
    scored = world({"image_sets": {"digits-test": {"count": 5_000_000}}})
    of_scorer = wildcards(input="clean", scorer="knn")
    more, less = (minutes(made, "scores", of_scorer, 1) for made in (scored, small))
    assert more > 2 * less


def test_a_limit_is_twice_the_stated_time_and_a_start(world):
    made = world(
        {
            "compute": {"demands": {"models": {"seconds": 60, "mem_mb": 1234}}},
            "image_sets": {"digits-train": {"count": 2000}},
            "recipes": {"standard": {"epochs": 10}},
        }
    )
    assert minutes(made, "models", wildcards(), 1) == pytest.approx(5 + 2 * 20, abs=1)
    assert mem_mb(made, "models", wildcards(), 2) == 2468


def test_shards_share_the_time(world):
    made = world({"image_sets": {"digits-test": {"count": 10_000_000}}})
    of_scorer = {"input": "clean", "scorer": "odin"}
    for rule in ("outputs", "scores_network"):
        whole = resources.thousands(made, rule, wildcards(**of_scorer))
        assert resources.thousands(made, rule, wildcards(**of_scorer, shard="0of10")) == whole / 10
    one, two = (
        resources.thousands(
            made, "outliers", Wildcards(benchmark="digits", outliers="mixed", shard=shard)
        )
        for shard in ("0of1", "1of2")
    )
    assert one == 2 * two > 0


def test_parts_are_trained_or_only_loaded(world):
    made = world({"parts": {"moco-b": {"training": {"epochs": 100}}}})
    more, less = (
        resources.thousands(w, "parts", Wildcards(part="moco-b")) for w in (made, world())
    )
    assert more == 5 * less
    published = world({"parts": {"moco-b": {"training": None, "weights": "vitb.pth.tar"}}})
    assert resources.thousands(published, "parts", Wildcards(part="moco-b")) == 0


def test_a_backbone_of_ones_own_is_a_module_and_a_line_of_config(checkout):
    networks = checkout.folder / "workflow/penumbra/networks/backbones"
    shutil.copy(networks / "vgg11.py", networks / "vgg13.py")
    own = "backbones:\n  vgg13: {label: VGG-13, network: vgg13, options: {width: 8}}\n"
    (checkout.folder / "own.yaml").write_text(own)
    target = "results/embedded/scores/digits/vgg13/standard/seed0/clean/msp.parquet"
    planned = checkout.snakemake(target, "-n", "--configfile", "own.yaml").output
    for rule in ("images", "models", "outputs", "scores"):
        assert f"rule {rule}:" in planned


@pytest.mark.parametrize(
    ("demands", "message"),
    [
        (
            {"modles": {"seconds": 1, "mem_mb": 1}},
            "demands.modles: unknown rule 'modles'; did you mean 'models'",
        ),
        ({"accuracy": {"seconds": 1}}, "compute.demands.accuracy: 'mem_mb' is a required"),
        ({"models": {"minutes": 1}}, "unknown key 'compute.demands.models.minutes'"),
    ],
)
def test_demands_that_no_rule_reads_are_refused(world, demands, message):
    with pytest.raises(PenumbraError, match=message):
        world({"compute": {"demands": demands}})


@pytest.mark.parametrize("overlays", OVERLAYS.values())
def test_no_world_states_more_than_its_site_has(world, overlays):
    compute = world(overlays=overlays).config["compute"]
    assert all(entry["mem_mb"] <= compute["memory"] for entry in compute["demands"].values())


def test_demands_name_every_rule_and_each_asks_by_its_own_name(root):
    asked = []
    for file in (root / "workflow/rules").glob("*.smk"):
        for block in re.split(r"\n *(?=rule\b)", file.read_text())[1:]:
            name = (re.match(r"rule (\w+):", block) or [None, "gather"])[1]
            stated = re.findall(r'demands\.\w+\("(\w+)"\)', block)
            assert stated == [name, name], name
            asked.append(name)
    assert sorted(rules()) == sorted([*asked, "default"])


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
        "reconstructions",
        *("outputs", "blocks", "statistics", "latency", "fits_network", "scores_network"),
        "detectors",
    }
    for rule, asked in planned["gpu"].items():
        wanted = "1" if rule in with_gpu else None
        assert {job.get("gpu") for job in asked} == {wanted}, rule
    for asked in planned["cpu"].values():
        assert {job.get("gpu", "0") for job in asked} == {"0"}
