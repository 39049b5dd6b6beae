"""What docs/extending.md shows is added as it stands there: files, and lines of the config."""

import re

import pytest
import yaml

from penumbra.planning.config import merge
from tests.workflow.conftest import CHAIN, TINY, Tiny

BLOCK = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`((?:workflow|config)/[\w/.]+\.(?:py|yaml))`:\n\n\Z")


@pytest.fixture
def extended(root, tmp_path):
    """A small world with a section's files and lines."""

    def make(section, config=TINY):
        made = Tiny(tmp_path, config)
        text = (root / "docs/extending.md").read_text()
        part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
        lines = yaml.safe_load((made.folder / "tiny.yaml").read_text())
        for block in BLOCK.finditer(part):
            named = FILE.search(part[: block.start()])
            if named:
                with (made.folder / named[1]).open("a") as file:
                    file.write(block[2])
            else:
                lines = merge(lines, yaml.safe_load(block[2]))
        (made.folder / "tiny.yaml").write_text(yaml.safe_dump(lines))
        return made

    return make


MODEL = "results/tiny/scores/digits/{}/{}/seed0/clean/msp.parquet"


def test_a_backbone(extended):
    made = extended("A backbone")
    made.run(MODEL.format("plain-cnn", "standard"))
    assert "epoch 1/1" in (
        made.folder / "logs/tiny/models/digits/plain-cnn/standard/seed0.log"
    ).read_text("utf-8")


def test_a_training_method(extended):
    made = extended("A training method")
    made.run(MODEL.format("resnet18", "smoothed"))
    made.edit("tiny.yaml", "share: 0.1", "share: 2")
    done = made.run(MODEL.format("resnet18", "smoothed"), check=False)
    assert done.returncode != 0
    assert "tiny.yaml: recipes.smoothed.smoothed.share: 2 is" in done.output


def test_a_calibration(extended):
    made = extended("A calibration", CHAIN)
    target = "results/tiny/calibrations/digits/resnet34/detector/seed0/base-rate.parquet"
    assert {"energies", "calibrations"} <= {rule for rule, _ in made.planned(target)}


def test_a_metric(extended):
    made = extended("A metric")
    made.run("fpr80")
    shown = (made.folder / "results/tiny/tables/fpr80.md").read_text("utf-8")
    assert "FPR80 ↓" in shown
    assert "not computed" not in shown.split("| MSP |")[1].split("\n")[0]


def test_a_figure(extended):
    made = extended("A figure")
    made.run("classes_figure")
    assert (made.folder / "results/tiny/figures/classes_figure.png").stat().st_size > 5000
