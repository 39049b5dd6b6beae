"""The stage that scores: NaN is refused by scorer, model and image set."""

import json

import numpy as np
import pyarrow as pa
import pytest

from penumbra.errors import PenumbraError
from penumbra.stages import scores
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.closure import code_of
from penumbra.store.columns import vectors


def job(tmp_path, logits, module="msp"):
    n = len(logits)
    table = pa.table(
        {
            "image_set": ["train"] * 1 + ["digits-test"] * (n - 3) + ["faces"] * 2,
            "role": ["train"] * 1 + ["test"] * (n - 3) + ["ood"] * 2,
            "index": pa.array(range(n), pa.int32()),
            "label": pa.array([0] * n, pa.int64()),
            "logits": vectors(logits),
            "features": vectors(logits),
        }
    )
    write_parquet(tmp_path / "outputs.parquet", table, {})
    roots = [f"penumbra.scores.{module}"]
    spec = {
        "rule": "scores",
        "wildcards": {
            "benchmark": "digits", "backbone": "resnet18", "recipe": "uat", "seed": "0",
            "input": "clean", "scorer": module,
        },
        "config": {"module": module, "options": {}, "needs": ["logits"]},
        "roots": roots,
        "code": code_of(["penumbra.stages.scores", *roots])["digest"],
    }  # fmt: skip
    arguments = ["--in", f"features={tmp_path}/outputs.parquet"]
    return Job([*arguments, "--out", f"scores={tmp_path}/scores.parquet"], json.dumps(spec))


def test_test_and_ood_images_are_scored_in_order(tmp_path):
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    scores.run(job(tmp_path, logits))
    found = read_parquet(tmp_path / "scores.parquet").to_pylist()
    assert [row["image_set"] for row in found] == ["digits-test"] * 3 + ["faces"] * 2
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert [row["score"] for row in found] == pytest.approx(softmax.max(1)[1:], rel=1e-6)


def test_scores_that_are_all_alike_are_told(tmp_path, capsys):
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    logits[4:] = 1
    scores.run(job(tmp_path, logits))
    told = capsys.readouterr().out
    assert "all 2 scores of faces are 0.333333: it tells none apart" in told
    assert "digits-test" not in told


def test_nan_names_scorer_model_and_image_set(tmp_path):
    logits = np.ones((6, 3), np.float32)
    logits[4] = np.nan
    with pytest.raises(
        PenumbraError,
        match="scorer msp, model digits/resnet18/uat/0, image set faces: 1 of 2 scores are NaN",
    ):
        scores.run(job(tmp_path, logits))
    assert not (tmp_path / "scores.parquet").exists()


class Returns:
    """In the place of a scorer's module: what a user's score() may return."""

    def __init__(self, value):
        self.value = value

    def score(self, arrays):
        return self.value(len(arrays["logits"]))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (lambda n: np.ones((n, 1)), r"the shape \(3, 1\); .* the shape \(3,\)"),
        (lambda n: np.ones(n + 1), r"the shape \(4,\); .* the shape \(3,\)"),
        (lambda n: 1.0, r"the shape \(\); .* the shape \(3,\)"),
        (lambda n: [[1.0], [1.0, 2.0], []], "the dtype object, not real numbers"),
        (lambda n: np.ones(n, complex), "the dtype complex128, not real numbers"),
        (lambda n: np.array(["1"] * n), "the dtype <U1, not real numbers"),
        (lambda n: np.array([1, None, 2]), "the dtype object, not real numbers"),
    ],
)
def test_what_is_not_one_number_per_image_is_refused(tmp_path, monkeypatch, value, told):
    monkeypatch.setattr(scores, "load", lambda *names: Returns(value))
    named = r"scorer msp, model digits/resnet18/uat/0: image set digits-test: score\(\) returned "
    with pytest.raises(PenumbraError, match=named + told):
        scores.run(job(tmp_path, np.ones((6, 3), np.float32)))
    assert not (tmp_path / "scores.parquet").exists()


def test_whole_numbers_are_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "load", lambda *names: Returns(np.arange))
    scores.run(job(tmp_path, np.ones((6, 3), np.float32)))
    found = read_parquet(tmp_path / "scores.parquet")["score"].to_pylist()
    assert found == [0.0, 1.0, 2.0, 0.0, 1.0]


def test_code_that_changed_after_planning_is_refused(tmp_path):
    made = job(tmp_path, np.ones((6, 3), np.float32))
    spec = dict(made.spec, code="0" * 16)
    with pytest.raises(PenumbraError, match="call snakemake again"):
        Job([], json.dumps(spec))
