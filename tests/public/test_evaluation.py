"""Metrics of given scores: what they are, and what is refused."""

import numpy as np
import pytest
import torch

import penumbra
from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS, metrics
from penumbra.evaluation.resampling import image_draws


@pytest.fixture(scope="module")
def scores():
    random = np.random.default_rng(0)
    return {
        "id": random.normal(1, 1, 200),
        "near": random.normal(0.5, 1, 150),
        "far": random.normal(-1, 1, 80),
        "shifted": random.normal(0.8, 1, 60),
    }


def test_one_array_has_one_row_of_the_metrics_that_tables_have(scores):
    found = penumbra.evaluate(scores["id"], scores["near"])
    assert found.index.tolist() == ["OOD"]
    row = found.loc["OOD"]
    wanted = metrics(scores["id"], scores["near"])
    full = {name for name, metric in METRICS.items() if metric.is_full}
    assert {name: row[name] for name in wanted if name not in full} == {
        name: value for name, value in wanted.items() if name not in full
    }
    assert not full & {*found.columns}
    assert (row["n_id"], row["n_ood"]) == (200, 150)
    assert row["auroc_conformal_low"] < row["auroc_low"] < row["auroc"] < row["auroc_high"]


def test_the_mean_over_sets_has_the_interval_of_shared_id_draws(scores):
    """By hand: AUROC of each set under the same drawn ID images, averaged draw by draw."""
    found = penumbra.evaluate(scores["id"], {k: scores[k] for k in ("near", "far")}, name="id")
    assert found.index.tolist() == ["near", "far", "mean"]
    assert found.loc["mean", "auroc"] == pytest.approx(found["auroc"].iloc[:2].mean(), abs=1e-12)
    drawn = []
    for name in ("near", "far"):
        of_id, of_ood = image_draws("id", 200), image_draws(name, len(scores[name]))
        wins = scores["id"][:, None] > scores[name]
        drawn.append([a @ wins @ b / a.sum() / b.sum() for a, b in zip(of_id, of_ood, strict=True)])
    error = np.mean(drawn, axis=0).std(ddof=1)
    half = (found.loc["mean", "auroc_high"] - found.loc["mean", "auroc_low"]) / 2
    assert half == pytest.approx(1.98422 * error, rel=1e-4)  # Student's t of 99 degrees


def test_shifted_images_count_as_id_in_full_spectrum_metrics(scores):
    found = penumbra.evaluate(scores["id"], scores["near"], shifted=scores["shifted"]).iloc[0]
    together = np.concatenate([scores["id"], scores["shifted"]])
    assert found["full_auroc"] == metrics(together, scores["near"])["auroc"]
    assert found["auroc"] == metrics(scores["id"], scores["near"])["auroc"]


def test_a_level_widens_and_shares_end_at_0_and_1(scores):
    narrow, wide = (
        penumbra.evaluate(scores["id"], scores["far"], confidence=level).iloc[0]
        for level in (0.5, 0.999)
    )
    assert wide["auroc_low"] < narrow["auroc_low"]
    assert wide["auroc_high"] <= 1
    assert penumbra.evaluate([2, 3], [0, 1]).iloc[0]["auroc_high"] == 1


def test_a_ratio_to_nothing_is_no_number():
    found = penumbra.evaluate([1.0, 2.0], [0.0, 0.0]).iloc[0]
    assert np.isnan(found["norm_ratio_low"])
    assert found["norm_ood"] == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, np.nan], r"scores of OOD: 1 of 2 are NaN or infinite, the first at image 1"),
        ([np.inf, 1.0], r"scores of OOD: 1 of 2 are NaN or infinite, the first at image 0"),
        ([], r"scores of OOD: there are none"),
        ([[1.0], [2.0]], r"scores of OOD: of shape \(2, 1\); give one number an image"),
        (3.0, r"scores of OOD: of shape \(\)"),
        (["high", "low"], r"scores of OOD: of dtype <U4; give real numbers"),
        ([1.0, None], r"scores of OOD: of dtype object"),
        ([[1.0], [1.0, 2.0]], r"scores of OOD: of dtype object"),
        ([1j], r"scores of OOD: of dtype complex128"),
        ([True, False], r"scores of OOD: of dtype bool"),
        ({}, r"ood_scores names no image set"),
        ({"mean": [1.0]}, r"'mean' is that of the row over all"),
        ({"ID": [1.0]}, r"called 'ID', 'ID'; each has a name of its own"),
        ({"\udcff": [1.0]}, r"ood_scores: the name '\\udcff' is no Unicode text"),
        ({1: [1.0], "1": [0.0]}, r"ood_scores: two image sets are called '1', .* of its own"),
        (np.ma.masked_equal([1.0, -9.0], -9.0), r"scores of OOD: 1 of 2 entries are masked"),
        ({"a": [1.0], "b": [np.nan]}, r"scores of b: 1 of 1 are NaN"),
    ],
)
def test_bad_scores_are_refused(given, message):
    with pytest.raises(PenumbraError, match=message):
        penumbra.evaluate([1.0, 2.0], given)


def test_a_masked_array_without_a_mask_is_an_array():
    plain = penumbra.evaluate(np.ma.array([1.0, 2.0]), np.ma.array([0.0], mask=[False]))
    assert plain.iloc[0]["auroc"] == 1


def test_tensors_are_taken_where_numpy_can():
    plain = penumbra.evaluate(torch.tensor([1.0, 2.0]), torch.tensor([0.0]))
    assert plain.iloc[0]["auroc"] == 1
    with pytest.raises(PenumbraError, match=r"scores of OOD: numpy cannot take it .*detach"):
        penumbra.evaluate([1.0], torch.tensor([0.0], requires_grad=True))


def test_the_name_of_the_id_images_is_text():
    with pytest.raises(PenumbraError, match=r"name: the name '\\udcff' is no Unicode text"):
        penumbra.evaluate([1.0], [0.0], name="\udcff")


@pytest.mark.parametrize("world", [None, 5])
def test_a_world_has_a_name(world):
    with pytest.raises(PenumbraError, match=f"{world} names no world; give its name or its folder"):
        penumbra.frame(world)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("benchmarks: null", r"benchmarks is None, no mapping"),
        ("benchmarks: {a: null}", r"benchmarks\.a is None, no mapping"),
        ("benchmarks: {a: {ood: null}}", r"benchmarks\.a\.ood is None, no mapping"),
        ("benchmarks: {a: {ood: [b]}}", r"benchmarks\.a\.ood is \['b'\], no mapping"),
        ("benchmarks: {a: {ood: {far: b}}}", r"benchmarks\.a\.ood\.far is 'b'; give a list"),
        ("benchmarks: {a: {ood: {far: [[b]]}}}", r"benchmarks\.a\.ood\.far is \[\['b'\]\]; give"),
    ],
)
def test_a_config_without_its_groups_is_refused(tmp_path, text, told):
    file = tmp_path / "world.yaml"
    file.write_text(text)
    with pytest.raises(PenumbraError, match=rf"config: {told}"):
        penumbra.frame(tmp_path, config=[file])


@pytest.mark.parametrize("config", [None, 5, [None]])
def test_a_config_is_files(tmp_path, config):
    with pytest.raises(PenumbraError, match=r"config: .*; give a list of files"):
        penumbra.frame(tmp_path, config=config)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, None, "0.95"])
def test_a_level_is_a_share(level):
    with pytest.raises(PenumbraError, match=f"confidence is {level!r}; it lies between 0 and 1"):
        penumbra.evaluate([1.0], [0.0], confidence=level)
    with pytest.raises(PenumbraError, match=f"confidence is {level!r}; it lies between 0 and 1"):
        penumbra.frame("a-world", confidence=level)


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.array([2**63, 2**63 + 1], np.uint64), r"scores of ID: whole numbers beyond 2\^53"),
        (np.array([-(2**60), 1]), r"scores of ID: whole numbers beyond 2\^53"),
        (np.array([1, 10], np.longdouble) ** 400, r"scores of ID: 1 of 2 are NaN or infinite"),
    ],
)
def test_numbers_that_float64_has_not_are_told(scores, told):
    with pytest.raises(PenumbraError, match=told):
        penumbra.evaluate(scores, [1.0, 2.0])
