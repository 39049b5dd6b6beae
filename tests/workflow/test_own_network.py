"""A classifier of one's own, from a file of Python and its weights to a table."""

import os
import re

import pyarrow.parquet as pq
import pytest
import torch

from tests.conftest import Checkout

CALL = ("--configfile", "mine.yaml", "--cores", "2")


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """What docs/own-models.md says, literally, but for `block` in a file beside."""
    page = (root / "docs/own-models.md").read_text()
    net, world, table = re.findall(r"```(?:python|yaml)\n(.*?)```", page, re.DOTALL)
    scope: dict = {}
    exec(net, scope)
    parts, build = net.split("def build")
    checkout = Checkout(tmp_path_factory.mktemp("own"))
    folder = checkout.folder
    (folder / "my_net.py").write_text(
        f"from torch import nn\n\nfrom parts import block\n\n\ndef build{build}"
    )
    (folder / "parts.py").write_text(parts)
    (folder / "mine.yaml").write_text(world)
    (folder / "tables").mkdir()
    (folder / "tables/mine.yaml").write_text(table)
    torch.manual_seed(0)
    torch.save({"state_dict": scope["build"](10).state_dict()}, folder / "my.pth")
    checkout.snakemake("mine", *CALL)
    return checkout


def test_its_table_has_scores_of_logits_features_maps_and_gradients(made):
    rows = pq.read_table(made.folder / "results/mine/tables/mine.parquet").to_pylist()
    values = {row["row_label"]: row["mean"] for row in rows}
    assert list(values) == ["MSP", "ViM", "FN", "ODIN"]
    assert all(0 <= value <= 1 for value in values.values())
    assert len(set(values.values())) == 4
    assert next(row["block"] for row in rows if row["row_label"] == "FN") == "1"


def rules_to_run(made):
    planned = made.snakemake("mine", "-n", *CALL).output
    return {
        line.split()[1].rstrip(":") for line in planned.splitlines() if line.startswith("rule ")
    }


def test_an_edit_of_its_file_or_of_what_that_imports_reruns_what_reads_it(made):
    assert rules_to_run(made) == set()
    for file, old, new in (
        ("my_net.py", "2 * width)", "width * 2)"),
        ("parts.py", "nn.ReLU()", "nn.ReLU(inplace=False)"),
    ):
        made.edit(file, old, new)
        rerun = rules_to_run(made)
        assert {"pretrained", "outputs", "scores", "metrics", "tables"} <= rerun
        assert "images" not in rerun
        made.edit(file, new, old)
    made.edit("my_net.py", "\n\ndef build", "\n# A comment.\n\ndef build")
    assert rules_to_run(made) == set()


def test_other_weights_rerun_it(made):
    file = made.folder / "my.pth"
    before = file.read_bytes(), file.stat().st_mtime_ns
    torch.save({"state_dict": {}}, file)
    assert {"pretrained", "outputs", "tables"} <= rules_to_run(made)
    file.write_bytes(before[0])
    os.utime(file, ns=(before[1], before[1]))


def test_what_its_function_gives_is_told(made):
    made.edit("my_net.py", "nn.Linear(2 * width, classes)", "nn.Identity()")
    told = made.snakemake("mine", *CALL, check=False).output
    made.edit("my_net.py", "nn.Identity()", "nn.Linear(2 * width, classes)")
    made.snakemake("mine", *CALL)  # makes again what the job that failed took with it
    assert "gives logits (2, 16) of two images, and its classes are 10" in told


def test_a_scorer_that_refuses_says_how_to_do_without_it(made):
    """The call fails; the mend that it names gives the rest of the table, without new scores."""
    world = (made.folder / "mine.yaml").read_text()
    scores = made.folder / "results/mine/scores/mine/net/given/seed0/clean"
    before = (scores / "fn.parquet").stat().st_mtime_ns
    (made.folder / "mine.yaml").write_text(world + "scorers: {vim: {fit: {dim: 16}}}\n")
    refused = made.snakemake("mine", *CALL, check=False)
    assert refused.returncode != 0
    assert "error: scorer vim, model mine/net/given/0: " in refused.stderr
    mend = re.search(r"`(scorers: .*)`", refused.stderr)[1]
    (made.folder / "mine.yaml").write_text(f"{world}{mend}\n")
    made.snakemake("mine", *CALL)
    rows = pq.read_table(made.folder / "results/mine/tables/mine.parquet").to_pylist()
    assert {row["row_label"]: row["missing"] for row in rows} == dict.fromkeys(
        ("MSP", "FN", "ODIN")
    ) | {"ViM": "this world has no scorer vim"}
    assert (scores / "fn.parquet").stat().st_mtime_ns == before
