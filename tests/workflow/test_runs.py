"""The workflow run for real: the same bytes everywhere, after interruptions, and with bad input."""

import json
import os
import shutil
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from PIL import Image

from penumbra.cli import main
from penumbra.reporting.provenance import show
from penumbra.store.artifacts import provenance_of
from tests.workflow.conftest import FLAGS, TARGETS, Tiny, csv_rows


def test_two_folders_give_the_same_bytes(finished, tmp_path):
    """One core here, two there: scheduling decides nothing."""
    other = Tiny(tmp_path)
    other.snakemake("all_tables", "all_figures", *FLAGS[:2], "--cores", "1")
    ours, theirs = finished.results(), other.results()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    for suffix in ("png", "svg"):
        figures = [
            w.folder / f"results/tiny/figures/uat_figure05.{suffix}" for w in (finished, other)
        ]
        assert figures[0].read_bytes() == figures[1].read_bytes()


def test_tables_hold_what_the_scores_say(finished):
    """One cell recomputed from its scores by scikit-learn."""
    from sklearn.metrics import roc_auc_score

    folder = finished.folder / "results/tiny"
    scores = pq.read_table(
        folder / "scores/digits/resnet18/standard/seed0/clean/msp.parquet"
    ).to_pylist()
    wanted = ("digits-test", "faces")
    parts = [[row["score"] for row in scores if row["image_set"] == name] for name in wanted]
    truth = [1] * len(parts[0]) + [0] * len(parts[1])
    table = pq.read_table(folder / "tables/uat_table01.parquet").to_pylist()
    (cell,) = (
        c for c in table
        if (c["row_label"], c["column_label"], c["metric"]) == ("MSP", "Faces", "auroc")
    )  # fmt: skip
    assert cell["mean"] == pytest.approx(roc_auc_score(truth, parts[0] + parts[1]))


def test_tables_come_in_every_format_with_their_world(finished):
    folder = finished.folder / "results/tiny/tables"
    for suffix in ("csv", "md", "tex", "html"):
        text = (folder / f"uat_table01.{suffix}").read_text()
        assert "UAT + CCFN" in text
        assert "this world has no recipe dml-focal" in text
        assert "World tiny; seed 0." in text
        assert "Faces 24" in text
    rows = csv_rows(folder / "uat_table01.csv")
    assert rows[0]["row"] == "MSP"
    assert {row["Average FPR95 ↓ reported"] for row in rows} == {""}  # digits, in no paper


def test_every_artifact_carries_what_made_it(finished, capsys):
    for name in finished.results():
        found = provenance_of(finished.folder / "results/tiny" / name)
        assert {"rule", "wildcards", "config", "code", "inputs", "python"} <= found.keys(), name
        assert str(finished.folder) not in json.dumps(found), name
    model = finished.folder / "results/tiny/models/digits/resnet18/uat/seed0/model.safetensors"
    text = show(model)
    for part in (
        "rule models",
        "seed ",
        '"tau": 50',
        "digits-train.parquet",
        "torch 2",
        "penumbra.training.methods.uat",
        "seconds",
    ):
        assert part in text
    table = finished.folder / "results/tiny/tables/uat_table01.parquet"
    assert main(["show", "--reported", str(table)]) == 0
    assert "UAT + CCFN" in capsys.readouterr().out
    assert main(["show", str(finished.folder / "Snakefile")]) == 1


def test_a_killed_training_resumes_and_ends_with_the_same_bytes(finished, tmp_path):
    target = "results/tiny/models/digits/resnet18/uat/seed0/model.safetensors"
    calm, killed = Tiny(tmp_path / "calm"), Tiny(tmp_path / "killed")
    for made in (calm, killed):
        made.edit("tiny.yaml", "epochs: 1,", "epochs: 6,")
    calm.run(target)
    assert killed.run_killed(target, "epoch 2/6") != 0
    assert not (killed.folder / target).exists()
    output = killed.run(target).output
    assert "resuming after epoch" in output
    assert "epoch 1/6" not in output
    assert (killed.folder / target).read_bytes() == (calm.folder / target).read_bytes()
    history = target.replace("model.safetensors", "history.parquet")
    assert (killed.folder / history).read_bytes() == (calm.folder / history).read_bytes()
    assert not list((killed.folder / "scratch").rglob("*.safetensors"))


def test_nan_loss_stops_the_job_with_its_recipe(tmp_path):
    made = Tiny(tmp_path)
    target = "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors"
    made.edit("tiny.yaml", "epochs: 1,", "epochs: 1, lr: 1.0e+20,")
    done = made.run(target, check=False)
    assert done.returncode != 0
    assert "recipe standard; try a smaller lr" in done.output
    assert not (made.folder / target).exists()
    assert "Traceback" not in done.output


def test_a_truncated_image_stops_its_job_and_keeps_the_rest(again):
    pets = again.folder / "data" / "pets" / "test"
    pets.mkdir(parents=True)
    for i in range(4):
        Image.new("RGB", (40, 40), (60 * i, 9, 9)).save(pets / f"{i}.png")
    (pets / "2.png").write_bytes((pets / "2.png").read_bytes()[:60])
    before = again.results()
    config = {
        "data_root": "data",
        "datasets": {
            "pets": {
                "title": "Pets", "reader": "stored", "licence": "none", "source": "made here",
                "labelled": False, "size": 32, "splits": {"test": {"count": 4}},
            }
        },
        "image_sets": {"pets": {"dataset": "pets", "split": "test"}},
        "benchmarks": {"digits": {"ood": {"far": ["textures", "faces", "pets"]}}},
    }  # fmt: skip
    (again.folder / "pets.yaml").write_text(json.dumps(config))  # JSON is YAML
    overlay = [*FLAGS[:2], "pets.yaml", *FLAGS[2:]]
    done = again.snakemake("results/tiny/images/pets.parquet", *overlay, check=False)
    assert done.returncode != 0
    assert "unreadable image" in done.output
    assert "2.png" in done.output
    assert again.results() == before


def test_missing_data_end_the_call_before_any_job(tmp_path):
    made = Tiny(tmp_path)
    config = 'image_sets={"textures": {"dataset": "svhn", "split": "test"}}'
    done = made.run("all_tables", "--config", f"data_root={tmp_path}", config, check=False)
    assert done.returncode != 0
    assert "data set svhn" in done.output
    assert "test_32x32.mat" in done.output
    assert "Traceback" not in done.output
    assert not (made.folder / "results").exists()


def test_unknown_config_key_ends_the_call(tmp_path):
    made = Tiny(tmp_path)
    made.edit("tiny.yaml", "seeds: [0]", "seedz: [0]")
    done = made.run("-n", "all_tables", check=False)
    assert done.returncode != 0
    assert "tiny.yaml: unknown key 'seedz'; did you mean 'seeds'?" in done.output


def test_slurm_profile_plans_and_says_when_there_is_no_slurm(tmp_path):
    made = Tiny(tmp_path)
    plan = made.snakemake("--profile", "slurm", "-n", "all_tables", "--configfile", "tiny.yaml")
    assert "total" in plan.output
    path = tmp_path / "bin"  # every program but that one
    path.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in os.scandir(folder) if os.path.isdir(folder) else ():
            (path / program.name).unlink(missing_ok=True)
            (path / program.name).symlink_to(program.path)
    (path / "sbatch").unlink(missing_ok=True)
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "all_tables", *FLAGS[:2]]
    done = subprocess.run(
        command,
        cwd=made.folder,
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "sbatch is not on this machine" in done.stdout + done.stderr


def test_a_report_is_made(finished):
    finished.run(*TARGETS, "--report", "report.html")
    page = (finished.folder / "report.html").read_text()
    assert "uat_table01" in page
    assert "uat_figure05" in page


def test_an_up_to_date_world_says_so(finished):
    assert "Nothing to be done" in finished.run().output


def test_a_call_without_a_target_makes_all_tables(again):
    (again.folder / "results/tiny/tables/uat_table13.parquet").unlink()
    planned = again.snakemake(*FLAGS, "-n").output
    assert "table=uat_table13" in planned
    assert "Nothing to be done" not in planned


def test_a_copy_with_new_times_reruns_nothing(tmp_path):
    """Whatever the size of a file, its content counts, also above Snakemake's own limit of 1 MB."""
    made = Tiny(tmp_path / "made")
    images, model = (f"results/tiny/{name}" for name in (IMAGES, MODEL))
    large = "digits-train: {size: 96}\n  faces:"
    made.edit("tiny.yaml", "faces: {count", large + " {count")
    # Parts that are for images of one size.
    without = (
        "parts: {autoencoder-kl: null, autoencoder-vq: null, dit-1: null, ldm-1: null}\n"
        "outliers: {dit-1: null, ldm-1: null}"
    )
    made.edit("tiny.yaml", "seeds: [0]", f"seeds: [0]\n{without}")
    made.run(model)
    assert (made.folder / images).stat().st_size > 1_000_000
    copy = object.__new__(Tiny)
    copy.folder = tmp_path / "copy"
    shutil.copytree(made.folder, copy.folder, copy_function=shutil.copyfile)
    for later, file in enumerate((model, images)):
        moment = time.time() + 10 * later
        os.utime(copy.folder / file, (moment, moment))
    assert copy.planned(model) == set()
    told = "nothing in .snakemake/ says of what they were made"
    assert told not in copy.run(model).output
    copy.edit("tiny.yaml", "size: 96", "size: 95")
    assert {rule for rule, _ in copy.planned(model)} == {"images", "models"}
    shutil.rmtree(copy.folder / ".snakemake")
    assert told in copy.run(model).output  # no edit is seen without it


IMAGES = "images/digits-train.parquet"
MODEL = "models/digits/resnet18/standard/seed0/model.safetensors"


def test_two_worlds_in_one_folder_keep_their_logs_apart(tmp_path):
    made = Tiny(tmp_path)
    other = made.folder / "other.yaml"
    other.write_text((made.folder / "tiny.yaml").read_text().replace("world: tiny", "world: other"))
    made.run("results/tiny/images/faces.parquet")
    made.snakemake("results/other/images/faces.parquet", "--configfile", other.name, "--cores", "1")
    for world in ("tiny", "other"):
        assert "24 images" in (made.folder / f"logs/{world}/images/faces.log").read_text("utf-8")
