"""docs/own-data.md, followed as it stands there."""

import os
import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/own-data.md").read_text()


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_page_is_followed_to_its_table(root, page, tmp_path):
    (script,) = blocks(page, "python")
    (tmp_path / "images.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": str(root / "workflow"), "OMP_NUM_THREADS": "1"}
    said = {}
    for command in re.findall(r"^\$ (.*)$", "".join(blocks(page, "console")), re.MULTILINE):
        called = re.sub("^penumbra", f"{sys.executable} -m penumbra", command)
        called = re.sub("^python", sys.executable, called)
        done = subprocess.run(
            called, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        said[command.split(" ")[0], command.split(" ")[1]] = done.stdout
    (shown,) = blocks(page, "text")
    for line in shown.splitlines():
        assert line in said["penumbra", "init"]
    assert "epochs: 2," in (tmp_path / "world/penumbra.yaml").read_text()
    table = said["cat", "world/results/world/tables/own_scores.md"]
    rows = re.findall(r"^\| ([\w +()]+?) \|.*\d", table, re.MULTILINE)
    assert len(rows) == 22
    assert {"MSP", "KNN", "CCFN", "PRO (GEN)"} <= set(rows)
    assert "Other digits<br>AUROC" in table


def test_the_rules_on_the_page_are_those_of_the_code(page):
    from penumbra.own import choices as rules

    gpu, cpu = (f"{rules.SHOWN[k]:,}" for k in (True, False))
    (least, most), (low, high) = rules.EPOCHS[False], rules.EPOCHS[True]
    wide, narrow = rules.WIDTHS[True], rules.WIDTHS[False]
    told = [
        ", ".join(map(str, rules.SIZES)),
        f"give or take {100 * rules.ENLARGED - 100:.0f} %",
        f"at most {rules.LARGEST_ON_CPU} without a GPU",
        f"up to {rules.SMALL} pixels",
        f"{wide} on a GPU; without one {narrow}, and {rules.SMALL_WIDTH} for fewer",
        f"fewer than {rules.FEW:,} training images",
        f"{cpu} images are shown in all, at least {least} and at most {most}",
        f"on a GPU {gpu}, {low} and {high}",
        "{1} from {0:,} on".format(*rules.BATCHES[1]),
        f"{rules.RATE * 128:g} for 128",
    ]
    for words in told:
        assert words in page.split("## What is chosen")[1]
