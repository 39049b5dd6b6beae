"""What Python is offered gives the workflow's own numbers; docs/python.md is a real session."""

import doctest
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

import penumbra
from penumbra.cli import main
from penumbra.errors import PenumbraError
from penumbra.planning import needs
from penumbra.planning.spec import spec
from penumbra.planning.yaml_files import load_yaml
from penumbra.stages import accuracy, fits, scores
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import provenance_of, read_arrays, read_parquet
from penumbra.store.columns import groups, matrix, numbers
from tests.workflow.conftest import copied

MODEL = "digits/resnet18/standard/seed0"
READING = f"{MODEL}/clean"
NAMES = {"benchmark": "digits", "backbone": "resnet18", "recipe": "standard", "seed": "0"}
NAMES |= {"input": "clean"}


@pytest.fixture(scope="module")
def world(finished, tmp_path_factory):
    """The small world with the scores of all scorers of arrays, and accuracies."""
    made = copied(finished, tmp_path_factory.mktemp("public"))
    entries = load_yaml(made.folder / "config/config.yaml")["scorers"]
    made.of_arrays = {
        name: entry
        for name, entry in entries.items()
        if needs.source(needs.needs(entry)) == "outputs"
        and not needs.second(entry)
        and not needs.learned(entry)
    }
    made.results = made.folder / "results/tiny"
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.chdir(made.folder)
        for name, entry in made.of_arrays.items():
            apply(name, entry)
        files = {"outputs": "outputs"}, {"accuracy": f"results/tiny/accuracy/{READING}.parquet"}
        call(accuracy, "accuracy", {}, [], NAMES, *files)
    return made


def apply(name, entry):
    """The stages that fit and apply a scorer of arrays, as their rules call them."""
    module, wanted, fit_wanted = entry["module"], needs.needs(entry), needs.fit_needs(entry)
    roots, names = [f"penumbra.scores.{module}"], NAMES | {"scorer": name}
    model, fitted = "model", f"results/tiny/fits/{READING}/{name}.safetensors"
    if fit_wanted:
        config = {"module": module, "needs": fit_wanted, "options": needs.fit_options(entry)}
        config |= {"role": needs.fit_role(entry), "images": entry.get("fit", {}).get("images")}
        config["second"] = {}
        inputs = {"outputs": "outputs"} | ({"head": model} if "head" in fit_wanted else {})
        call(fits, "fits", config, roots, names, inputs, {"fitted": fitted})
    config = {"module": module, "needs": wanted, "options": entry.get("options", {}), "second": {}}
    inputs = {"features": "outputs"} | ({"head": model} if "head" in wanted else {})
    inputs |= {"fitted": fitted} if fit_wanted else {}
    written = {"scores": f"results/tiny/scores/{READING}/{name}.parquet"}
    call(scores, "scores", config, roots, names, inputs, written)


def call(stage, rule, config, roots, names, inputs, outputs):
    files = {
        "outputs": f"results/tiny/outputs/{READING}.parquet",
        "model": f"results/tiny/models/{MODEL}/model.safetensors",
    }
    given = [f"{key}={files.get(file, file)}" for key, file in inputs.items()]
    made = [f"{key}={file}" for key, file in outputs.items()]
    stage.run(Job(["--in", *given, "--out", *made], spec(rule, config, roots, names)))


@pytest.fixture(scope="module")
def outputs(world):
    """Arrays by image set, the ID ones by their role."""
    sets = {}
    for name, rows in groups(
        read_parquet(world.results / f"outputs/{READING}.parquet"), "image_set"
    ):
        role = rows["role"][0].as_py()
        arrays = {key: matrix(rows[key]) for key in ("logits", "features")}
        sets[name if role == "ood" else role] = arrays | {"labels": numbers(rows["label"])}
    return sets


def stored(world, scorer):
    """Scores of the workflow by image set, the test set's as `test`."""
    rows = read_parquet(world.results / f"scores/{READING}/{scorer}.parquet")
    return {
        "test" if part["role"][0].as_py() == "test" else name: numbers(part["score"])
        for name, part in groups(rows, "image_set")
    }


def test_scores_of_arrays_are_the_workflows_to_the_last_bit(world, outputs):
    model = read_arrays(world.results / f"models/{MODEL}/model.safetensors")
    head = {key: model[f"model.fc.{key}"] for key in ("weight", "bias")}
    ood = {name: arrays for name, arrays in outputs.items() if name in ("textures", "faces")}
    asked = {
        name: {key: entry[key] for key in ("module", "options", "fit") if key in entry}
        for name, entry in world.of_arrays.items()
    }
    assert len(asked) > 15
    with threadpool_limits(1):  # as the stages, whose sums would otherwise be in another order
        found = penumbra.score_arrays(
            outputs["train"], outputs["test"], ood, asked, head, heldout=outputs["heldout"]
        )
    for name, sets in found.scores.items():
        wanted = stored(world, name)
        assert [*sets] == [*wanted]
        for image_set, values in sets.items():
            np.testing.assert_array_equal(values, wanted[image_set], err_msg=name)


def test_metrics_of_scores_are_the_artifacts_and_intervals_the_tables(world):
    ood = stored(world, "msp")
    found = penumbra.evaluate(ood.pop("test"), ood, name="digits-test")
    for row in read_parquet(world.results / f"metrics/{READING}.parquet").to_pylist():
        if row["scorer"] == "msp":
            mine = found.loc[row["image_set"]]
            same = {*found.columns} & {*row}
            assert {"auroc", "fpr95", "norm_ratio", "auroc_conformal_low"} <= same
            assert {name: mine[name] for name in same} == {name: row[name] for name in same}
    assert (
        cell(world, "mean", "auroc")
        == found.loc["mean", ["auroc", "auroc_low", "auroc_high"]].tolist()
    )


def cell(world, image_set, metric):
    """Mean, low and high of MSP's cell in Table 1."""
    file = world.results / "tables/uat_table01.parquet"
    config, rows = provenance_of(file)["config"], pq.read_table(file).to_pylist()
    names = {"mean": {"textures", "faces"}}.get(image_set, {image_set})
    (found,) = (
        row
        for row, planned in zip(rows, config["cells"], strict=True)
        if (planned["scorer"], {*planned["sets"]}, row["metric"]) == ("msp", names, metric)
        and planned["backbone"] == "resnet18"
    )
    return [found[key] for key in ("mean", "low", "high")]


def test_the_frame_has_every_metric_of_every_row(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    found = penumbra.frame("tiny", config=["config/config.yaml", "tiny.yaml"])
    pd.testing.assert_frame_equal(
        found.drop(columns="group"), penumbra.frame(world.results).drop(columns="group")
    )
    key = ["input", "scorer", "image_set", "metric"]
    assert not found.duplicated(["benchmark", "backbone", "recipe", "seed", *key]).any()
    rows = read_parquet(world.results / f"metrics/{READING}.parquet").to_pylist()
    mine = found[(found["recipe"] == "standard") & (found["role"] == "ood")]
    mine = mine.set_index(key).sort_index()
    for row in rows:
        at = mine.loc[("clean", row["scorer"], row["image_set"])]
        assert at.loc["auroc", "value"] == row["auroc"]
        assert at.loc["auroc", "conformal_low"] == row["auroc_conformal_low"]
        assert at.loc["auroc", "n"] == row["n_ood"]
        assert {*at["block"]} == {row["block"]}
    textures = mine.loc[("clean", "msp", "textures", "auroc")]
    assert textures[["value", "low", "high"]].tolist() == cell(world, "textures", "auroc")
    assert {*found.loc[found["role"] == "ood", "group"]} == {"far"}
    accuracy = found[found["scorer"].isna()].set_index(["image_set", "metric"])["value"]
    (test,) = (
        row["accuracy"]
        for row in read_parquet(world.results / f"accuracy/{READING}.parquet").to_pylist()
        if row["role"] == "test"
    )
    assert accuracy["digits-test", "test_accuracy"] == test
    assert found["value"].max() <= 1 or "norm" in found.loc[found["value"].idxmax(), "metric"]


def test_a_folder_partly_computed_gives_what_is_there(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PenumbraError, match=r"neither results/half nor half .*no world has any"):
        penumbra.frame("half")
    folder = tmp_path / "results/half"
    folder.mkdir(parents=True)
    with pytest.raises(PenumbraError, match="results/half: holds no metrics and no accuracy yet"):
        penumbra.frame("half")
    with pytest.raises(PenumbraError, match="worlds with results here: half"):
        penumbra.frame("other")
    shutil.copytree(world.results / f"metrics/{MODEL}", folder / f"metrics/{MODEL}")
    assert {*penumbra.frame("half")["recipe"]} == {"standard"}
    shutil.rmtree(folder / f"metrics/{MODEL}/draws")
    without = penumbra.frame("half")
    assert without["low"].isna().all()
    assert without["value"].notna().any()
    file = folder / f"metrics/{READING}.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(PenumbraError, match=r"clean\.parquet: not a readable Parquet artifact"):
        penumbra.frame("half")


def test_the_session_of_the_docs_is_real(root, world, tmp_path, monkeypatch, capsys):
    """Its world is another one here, of which only names are told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/embedded").symlink_to(world.results)
    (tmp_path / "config").symlink_to(root / "config")
    flags = doctest.NORMALIZE_WHITESPACE
    done = doctest.testfile(str(root / "docs/python.md"), module_relative=False, optionflags=flags)
    assert not done.failed, capsys.readouterr().out
    assert done.attempted > 25
    text = (root / "docs/python.md").read_text()
    for command, wanted in re.findall(r"```console\n\$ penumbra (.*?)\n(.*?)```", text, re.S):
        assert main(command.split()) == 0
        assert capsys.readouterr().out.split() == wanted.split()
