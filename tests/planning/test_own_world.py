"""A world of one's own: nothing of the embedded world's but its methods."""

import pytest
import yaml

from penumbra.errors import PenumbraError
from penumbra.planning.base import laid_over
from penumbra.planning.config import merge
from penumbra.planning.models import Models
from penumbra.planning.tables import Tables
from tests.planning.helpers import checked, required

OWN = """
base: own
world: mine
image_sets:
  a: {dataset: digits, split: train}
  b: {dataset: digits, split: test}
  c: {dataset: skimage-faces, split: test, label: Faces}
benchmarks:
  mine:
    label: My digits
    train: a
    test: b
    ood: {far: [c]}
    missing: error
    normalisation: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
backbones:
  net: {label: Net, network: resnet, options: {layers: 18, width: 8, stem: fn}}
recipes:
  quick:
    method: standard
    epochs: 1
    batch_size: 64
    lr: 0.05
    momentum: 0.9
    nesterov: false
    weight_decay: 0.0
    schedule: {kind: cosine_iteration}
    augment: {flip: false, crop_padding: 0}
    precision: float32
"""


@pytest.fixture
def own(root, tmp_path):
    def make(text=OWN, **over):
        file = tmp_path / "mine.yaml"
        file.write_text(text)
        given = merge(yaml.safe_load(text), over)
        files, whole = laid_over(root / "config", given)
        return checked(whole, root / "config", [*files, file])

    return make


def test_it_has_no_images_networks_recipes_or_tables_but_its_own(own):
    config = own().config
    assert list(config["image_sets"]) == ["a", "b", "c"]
    assert list(config["backbones"]) == ["net"]
    assert list(config["recipes"]) == ["quick"]
    assert config["tables"] == ["own_scores"]
    assert config["parts"] == config["outliers"] == config["roles"] == {}
    assert not any("backbones" in entry for entry in config["scorers"].values())


def test_a_table_takes_the_only_benchmark_backbone_and_recipe(own):
    world = own()
    required(world)
    cells = Tables(world).of("own_scores")
    assert {cell.benchmark for cell in cells} == {"mine"}
    assert cells[0].files == ("results/mine/metrics/mine/net/quick/seed0/clean.parquet",)


STORED = {"title": "Far", "reader": "stored", "labelled": False, "size": 8}


def test_a_folder_without_images_is_told_before_a_job(own, tmp_path):
    far, hidden = tmp_path / "far", tmp_path / "far/.thumbs/0.png"
    hidden.parent.mkdir(parents=True)
    hidden.write_bytes(b"1")
    (far / "inside").mkdir()
    (far / "inside/notes.txt").write_text("none yet")
    dataset = STORED | {"splits": {"all": {"path": str(far)}}}
    over = {"datasets": {"far": dataset}, "image_sets": {"c": {"dataset": "far", "split": "all"}}}
    with pytest.raises(PenumbraError, match=f"image set c: there are no images in {far}; put them"):
        required(own(**over))
    (far / "inside/0.png").write_bytes(b"1")
    required(own(**over))


def test_of_two_recipes_the_table_says_which(own, tmp_path):
    two = {"recipes": {"slow": {"extends": "quick", "epochs": 2}}}
    with pytest.raises(PenumbraError, match="MSP: fpr95 needs its `recipe`; say it"):
        required(own(**two))
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/slow.yaml").write_text("like: own_scores\nrecipe: slow\nbenchmark: mine\n")
    world = own(**two, tables=["slow"])
    required(world)
    assert Tables(world).of("slow")[0].model["recipe"] == "slow"


def test_a_benchmark_that_is_none_is_named_with_the_nearest(own, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/wrong.yaml").write_text("like: own_scores\nbenchmark: mien\n")
    with pytest.raises(
        PenumbraError, match="unknown role or benchmark 'mien'; did you mean 'mine'"
    ):
        required(own(tables=["wrong"]))


def test_tables_of_the_papers_want_their_role(own):
    with pytest.raises(PenumbraError, match=r"backbones|backbone 'resnet18'"):
        required(own(tables=["uat_table01"]))


@pytest.mark.parametrize(
    ("network", "weights", "message"),
    [
        (
            "torchvision:resnet18",
            "no.pth",
            r"recipes\.given\.pretrained\.weights: .*no\.pth is missing",
        ),
        (
            "python:nets:build",
            "my.pth",
            "backbones.net.network: python:nets:build: no file of nets in",
        ),
        ("python:nets", "my.pth", "write python:<module>:<function>"),
        ("pyton:nets:build", "my.pth", "unknown network 'pyton'; did you mean 'python'"),
        ("python:nets:build", None, r"recipes\.given\.pretrained: .*weights"),
    ],
)
def test_a_given_classifier_that_is_not_there(own, tmp_path, network, weights, message):
    (tmp_path / "my.pth").write_bytes(b"weights")
    given = {"method": "pretrained", "pretrained": {"weights": weights} if weights else {}}
    mine = yaml.safe_load(OWN)
    mine["backbones"]["net"] = {"label": "Net", "network": network, "options": {}}
    mine |= {"recipes": {"given": given}, "weights_root": str(tmp_path)}

    def planned():
        world = own(yaml.safe_dump(mine))
        required(world)
        models = Models(world)
        models.pretrained_spec({"benchmark": "mine", "backbone": "net", "recipe": "given"})

    with pytest.raises(PenumbraError, match=message):
        planned()
    if network == "python:nets:build" and weights:
        (tmp_path / "nets.py").write_text("def build(classes): ...\n")
        planned()


@pytest.mark.parametrize("ood", [{"near": ["c"]}, {}])
def test_a_table_asks_for_groups_that_a_benchmark_has(own, ood):
    text = OWN.replace("{far: [c]}", str(ood).replace("'", ""))
    told = f"mine has {', '.join(ood) or 'none'}"
    with pytest.raises(PenumbraError, match=rf"own_scores\.yaml: .*group far, .*{told}"):
        required(own(text))


def test_a_table_of_sets_of_which_none_is_there_says_so(own, tmp_path):
    absent = {
        "image_sets": {"c": {"dataset": "svhn", "split": "test"}},
        "benchmarks": {"mine": {"missing": "omit"}},
        "data_root": str(tmp_path),
    }
    (tmp_path / "tables").mkdir()
    columns = "columns: [{group: far, sets: each, metrics: [auroc]}]\n"
    (tmp_path / "tables/each.yaml").write_text(f"like: own_scores\n{columns}")
    world = own(**absent, tables=["each"])
    cells = Tables(world).of("each")
    assert {cell.missing for cell in cells} == {"this world has no such OOD image set"}
    assert len(cells) == len(world.table("each")["rows"])


def test_classes_are_not_learned_from_images_without_labels(own):
    with pytest.raises(PenumbraError, match="recipe quick: standard learns classes, and a is of"):
        required(own(image_sets={"a": {"dataset": "skimage-things", "split": "test"}}))
