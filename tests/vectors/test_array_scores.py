"""Conformance of the scores of logits, features and the last layer, with their published code."""

import numpy as np
import pytest

from penumbra.evaluation.metrics import metrics
from penumbra.scores import (
    catex,
    dice,
    dml,
    dml_plus,
    gradnorm,
    knn,
    mahalanobis,
    maxlogit,
    mcm,
    nan,
    otod,
    react,
    rmds,
    scale,
    ssd,
    temperature,
    vim,
)
from tests.vectors.scoring import close, expected

SIDES = ("id", "ood")


@pytest.fixture(scope="module")
def given(arrays, exact):
    """What scorers get, of each set of images, in float32 and float64."""
    head = {"weight": arrays["fc_weight"], "bias": arrays["fc_bias"]}

    def build(side, double=False):
        source = exact if double else arrays
        found = {key: source[f"{side}_{key}"] for key in ("logits", "features")}
        labels = {"labels": arrays[f"{side}_labels"]} if f"{side}_labels" in arrays else {}
        return {**found, **labels, **head}

    return build


def doubled(arrays):
    """The float32 arrays, to compute with in float64."""
    return {key: array.astype(np.float64) for key, array in arrays.items() if key != "labels"}


def named(folder, pattern):
    """Expected outputs whose file names match, with the part of the name that varies."""
    prefix, suffix = pattern.split("*")
    paths = sorted((folder / "expected").glob(f"{pattern}.npz"))
    if not paths:
        pytest.skip(f"this set of vectors has no {pattern}")
    return {p.stem.removeprefix(prefix).removesuffix(suffix): np.load(p) for p in paths}


def check(wanted, score, given, rtol=1e-5, unchecked=()):
    """`score` of both sides, in float32 and, where given, in float64; no key but these is left."""
    keys = set()
    for side in SIDES:
        close(score(given(side)), wanted[side], rtol)
        keys.add(side)
        if f"{side}_f64" in wanted:
            close(score(given(side, double=True)), wanted[f"{side}_f64"])
            keys.add(f"{side}_f64")
    assert set(wanted) - keys == set(unchecked)


def same_order(found, wanted, rtol):
    """Images change places only where their expected scores are as close as rounding."""
    tolerance = rtol * np.abs(wanted).max()
    assert np.diff(wanted[np.argsort(found)]).min() >= -2 * tolerance


@pytest.mark.parametrize("scorer", [maxlogit, nan], ids=lambda module: module.__name__)
def test_unfitted(folder, given, scorer):
    name = scorer.__name__.rpartition(".")[2]
    wanted = expected(folder, name)
    parts = {f"{side}_{part}" for side in SIDES for part in ("l0", "l1", "l2")}
    check(wanted, scorer.score, given, 1e-5, parts & set(wanted))


def test_nan_is_the_mean_active_unit(folder, given):
    wanted = expected(folder, "nan")
    for side in SIDES:
        features = doubled(given(side))["features"]
        close(nan.score({"features": features}) * wanted[f"{side}_l0"], wanted[f"{side}_l1"])
        norm = dml.score({"features": features, "weight": np.zeros((1, features.shape[1]))})
        close(norm, wanted[f"{side}_l2"])


def test_gradnorm(folder, given):
    check(expected(folder, "gradnorm"), gradnorm.score, given)


def test_published_temperature(folder, given):
    wanted = expected(folder, "temp_scaling")
    fitted = temperature.fit(given("val"), search="lbfgs50")
    close(fitted["temperature"], wanted["temperature"], 1e-5)
    score = lambda arrays: temperature.score({**arrays, **fitted})  # noqa: E731
    check(wanted, score, given, 1e-5, {"temperature"})


def test_optimal_temperature_is_better_than_its_neighbours(given):
    arrays = given("val")

    def loss(t):
        logits = arrays["logits"].astype(np.float64) / t
        right = logits[np.arange(len(logits)), arrays["labels"]]
        return (np.log(np.exp(logits).sum(1)) - right).mean()

    (found,) = temperature.fit(arrays)["temperature"]
    assert loss(found) < min(loss(found * 1.0001), loss(found / 1.0001))
    assert loss(found) < loss(temperature.fit(arrays, search="lbfgs50")["temperature"][0])


@pytest.mark.parametrize("source", ["train", "val"])
def test_react(folder, given, source):
    for percentile, wanted in named(folder, f"react_p*_{source}set").items():
        thresholds = {}
        for double, key in ((False, "threshold"), (True, "threshold_f64")):
            if key in wanted:
                fitted = react.fit(given(source, double), percentile=float(percentile))
                close(fitted["threshold"], wanted[key], 1e-9 if double else 1e-5)
                thresholds[double] = fitted

        def score(arrays, thresholds=thresholds):
            return react.score({**arrays, **thresholds[arrays["features"].dtype == np.float64]})

        check(wanted, score, given, 1e-5, {"threshold", "threshold_f64"} & set(wanted))


def test_dice(folder, given):
    for percentile, wanted in named(folder, "dice_p*").items():
        train = given("train")
        fitted = dice.fit(train, percentile=float(percentile))
        assert np.array_equal(fitted["sparse_weight"] != 0, wanted["mask_kept"])
        close(fitted["contribution"], train["weight"] * wanted["mean_act"], 1e-5)
        cut = np.percentile(fitted["contribution"], float(percentile))
        close(cut, wanted["thresh"], 1e-5)

        def score(arrays, fitted=fitted):
            return dice.score({**arrays, **fitted})

        check(wanted, score, given, 1e-5, {"mask_kept", "mean_act", "thresh"})


def test_scale(folder, given):
    for percentile, wanted in named(folder, "scale_p*").items():

        def score(arrays, percentile=float(percentile)):
            return scale.score(arrays, percentile)

        check(wanted, score, given)


def test_mahalanobis(folder, given):
    wanted = expected(folder, "mahalanobis")
    fitted = mahalanobis.fit(given("train"))
    close(fitted["class_mean"], wanted["class_mean"], 1e-5)
    close(fitted["whitening"] @ fitted["whitening"].T, wanted["precision"], 2e-3)

    def score(arrays):
        return mahalanobis.score({**arrays, **fitted})

    check(wanted, score, given, 2e-3, {"class_mean", "precision"})
    for side in SIDES:
        same_order(score(given(side)), wanted[side], 1e-5)


def test_rmds(folder, given):
    wanted, fitted = expected(folder, "rmds"), rmds.fit(given("train"))

    def score(arrays):
        return rmds.score({**arrays, **fitted})

    check(wanted, score, given, 2e-3)
    for side in SIDES:
        same_order(score(given(side)), wanted[side], 2e-3)


def test_knn(folder, given):
    fitted = knn.fit(given("train"))
    for k, wanted in named(folder, "knn_k*").items():
        assert set(wanted) == set(SIDES)
        for side in SIDES:
            found = knn.score({**given(side), **fitted}, int(k))
            np.testing.assert_allclose(found, wanted[side], rtol=0, atol=1e-6)


def test_official_knn(folder, given):
    wanted, fitted = expected(folder, "knn_official"), knn.fit(given("train"))
    unnamed = set(SIDES)
    for key in set(wanted) - unnamed:
        side, k = key.removesuffix("_exact_f64").split("_k")
        found = knn.score({**given(side), **fitted}, int(k))
        atol = 2e-7 if key.endswith("_exact_f64") else 1e-6
        np.testing.assert_allclose(found, wanted[key], rtol=0, atol=atol)
        if np.array_equal(wanted[side], wanted[key]):
            unnamed.discard(side)
    assert not unnamed, "of which k is it?"


def ssd_metrics(inliers, outliers):
    """As SSD's code has them: OOD caught below the 5th percentile of ID, and OOD positive."""
    found = metrics(inliers, outliers, "ssd")
    return [(outliers > np.percentile(inliers, 5)).mean(), found["auroc"], found["aupr_ood"]]


@pytest.mark.parametrize(
    ("clusters", "key", "rtol"), [("one", "ssd1", 1e-5), ("labels", "ssd_labels", 1e-3)]
)
@pytest.mark.parametrize("double", [False, True])
def test_ssd(folder, given, clusters, key, rtol, double):
    wanted, ending = expected(folder, "ssd"), "_f64" if double else ""
    convert = doubled if double else dict
    train = given("train")
    fitted = ssd.fit({**convert(train), "labels": train["labels"]}, clusters=clusters)
    found = [ssd.score({**convert(given(side)), **fitted}) for side in SIDES]
    for side, values in zip(SIDES, found, strict=True):
        close(values, wanted[f"{key}_{side}{ending}"], 1e-9 if double else rtol)
    close(ssd_metrics(*found), wanted[f"{key}_fpr_auroc_aupr{ending}"])


def test_keys_of_ssd(folder):
    wanted = expected(folder, "ssd")
    ends = ("id", "ood", "fpr_auroc_aupr", "id_f64", "ood_f64", "fpr_auroc_aupr_f64")
    known = {f"{key}_{end}" for key in ("ssd1", "ssd_labels") for end in ends}
    assert set(wanted) == known | set(SIDES)
    for side in SIDES:
        assert np.array_equal(wanted[side], wanted[f"ssd1_{side}"])


def test_vim(folder, given):
    for dim, wanted in named(folder, "vim_dim*").items():
        fitted = vim.fit(given("train"), dim=int(dim))
        projector = fitted["residual"] @ fitted["residual"].T
        for found, key in (
            (fitted["alpha"], "alpha"),
            (fitted["origin"], "u"),
            (projector, "residual_projector"),
            (fitted["eigenvalues"], "eig_vals_desc"),
        ):
            close(found, wanted[key], 2e-3)

        def score(arrays, fitted=fitted):
            return vim.score({**arrays, **fitted})

        parts = {"alpha", "u", "residual_projector", "eig_vals_desc"}
        check(wanted, score, given, 2e-3, parts)
        for side in SIDES:
            same_order(score(given(side)), wanted[side], 2e-3)


def test_otod(folder, given):
    wanted = expected(folder, "otod")
    parts = {f"{side}_{key}" for side in SIDES for key in ("T1", "closed_form_f64")}
    check(wanted, otod.score, given, 1e-5, parts)
    for side in SIDES:
        close(otod.score(given(side), temperature=1.0), wanted[f"{side}_T1"], 1e-5)
        close(otod.score(doubled(given(side))), wanted[f"{side}_closed_form_f64"])


def test_dml(folder, given):
    wanted = expected(folder, "dml_plus")
    for side in SIDES:
        exactly = doubled(given(side))
        cosine = dml.score(exactly, norm_weight=0.0)
        close(cosine, wanted[f"{side}_dml_maxcos_f64"])
        norm = (dml.score(exactly, norm_weight=2.0) - cosine) / 2
        close(norm, wanted[f"{side}_dml_norm_f64"])


def test_dml_plus(folder):
    wanted = expected(folder, "dml_plus")
    networks = {
        side: {"logits": wanted[f"{side}_mcf_logits"], "features": wanted[f"{side}_mnc_features"]}
        for side in SIDES
    }
    fitted = dml_plus.fit(networks["id"])
    close(fitted["cosine_sum"], wanted["id_maxcos40"].sum(dtype=np.float64), 1e-6)
    close(fitted["norm_sum"], wanted["id_norm"].sum(dtype=np.float64), 1e-6)
    for side in SIDES:
        close(dml_plus.score({**networks[side], **fitted}), wanted[side], 1e-6)
        assert np.array_equal(maxlogit.score(networks[side]), wanted[f"{side}_maxcos40"])
        close(np.linalg.norm(networks[side]["features"], axis=1), wanted[f"{side}_norm"], 1e-6)
    assert wanted["mcf_fc_weight"].shape[1] == wanted["id_mcf_logits"].shape[1]


@pytest.mark.parametrize("side", SIDES)
def test_mcm_and_catex(folder, side):
    wanted = expected(folder, "clip_mcm_catex")
    images = wanted[f"{side}_image"].astype(np.float64)
    prompts = {key: wanted[key].astype(np.float64) for key in ("text", "ood_text")}
    checked = {side, f"{side}_image"}
    for key in wanted:
        value = key.removeprefix(f"{side}_").partition("_")[2]
        if key.startswith(f"{side}_mcm_T"):
            cosines = images @ prompts["text"].T
            close(mcm.score({"logits": cosines}, float(value[1:])), wanted[key], 1e-5)
            checked.add(key)
        elif key.startswith(f"{side}_catex_min"):
            found = catex.score({"features": images, **prompts}, float(value.removeprefix("min")))
            close(found, wanted[key], 1e-6)
            checked.add(key)
    own = {key for key in wanted if key.startswith(side)} - {"ood_text"}
    assert own == checked
    assert any(np.array_equal(wanted[side], wanted[key]) for key in checked - {side})
