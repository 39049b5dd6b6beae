"""The list of scorers says what their modules say."""

import pytest

import penumbra
from penumbra.plugins import load, names


@pytest.fixture(scope="module")
def listed():
    return penumbra.scorers()


def test_every_scorer_is_there_with_what_it_is(listed):
    assert listed.index.tolist() == names("scores")
    assert listed["paper"].str.len().min() > 20
    assert listed.loc["msp", "paper"] == load("scores", "msp").__doc__.strip().rstrip("\n")


@pytest.mark.parametrize(
    ("scorer", "column", "wanted"),
    [
        ("msp", "reads", "logits"),
        ("msp", "fitted_on", ""),
        ("msp", "options", ""),
        ("knn", "fitted_on", "train"),
        ("knn", "options", "k: integer at least 1, default 50"),
        ("vim", "fit_reads", "logits, features, head"),
        ("vim", "fit_options", "dim: integer at least 1 or None, default None"),
        ("temperature", "fitted_on", "heldout"),
        ("temperature", "fit_options", "search: optimum | lbfgs50, default 'optimum'"),
        ("scale", "options", "percentile: number in [0, 100), default 85.0"),
        ("ccfn", "source", "statistics"),
        ("ccfn", "reads", "l2, max, var, mean, min, var_unbiased"),
        ("odin", "source", "network"),
        ("rmds", "source", "outputs"),
    ],
)
def test_what_is_said(listed, scorer, column, wanted):
    assert listed.loc[scorer, column] == wanted


def test_lists_and_mappings_are_told(listed):
    assert listed.loc["godin", "fit_options"].startswith(
        "eps: list of number at least 0, not empty, default (0.0, 0.0025"
    )
    assert "layers: mapping" in listed.loc["nac", "fit_options"]
