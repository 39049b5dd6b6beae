"""Scores of arrays that have no ordinary answer, and options that have none."""

import importlib

import numpy as np
import pytest
import torch

from penumbra import numerics
from penumbra.errors import PenumbraError
from penumbra.scores import (
    ash,
    catex,
    ccfn,
    dice,
    dml,
    dml_plus,
    energy,
    gen,
    gradnorm,
    knn,
    mahalanobis,
    mcm,
    msp,
    nan,
    otod,
    pro,
    react,
    rmds,
    scale,
    she,
    ssd,
    temperature,
    vim,
)

# fmt: off
NAMES = [
    "ash", "catex", "ccfn", "dice", "dml", "dml_plus", "energy", "feature_norm", "gen", "gradnorm",
    "knn", "mahalanobis", "maxlogit", "mcm", "msp", "nan", "otod", "react", "rmds", "scale", "she",
    "ssd", "temperature", "vim",
]
# fmt: on
CLASSES, WIDTH = 4, 12


def images(count, seed=0):
    """Post-ReLU features about four centres with a dead unit, their logits and labels; a head."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(CLASSES, WIDTH))
    weight = (centres / 3).astype(np.float32)
    draw = np.random.default_rng(seed + 1)
    labels = np.arange(count) % CLASSES
    features = np.maximum(draw.normal(size=(count, WIDTH)) + centres[labels], 0)
    features[:, 5] = 0
    features = features.astype(np.float32)
    bias = np.linspace(-1, 1, CLASSES, dtype=np.float32)
    return {
        "features": features,
        "logits": features @ weight.T + bias,
        "labels": labels,
        "weight": weight,
        "bias": bias,
        "l2": features,
        "max": features,
        "text": weight,
        "ood_text": weight[::-1],
    }


def fitted(name, count=200):
    """The scorer and what it fits to images; k = 50 of KNN needs some."""
    module = importlib.import_module(f"penumbra.scores.{name}")
    return module, module.fit(images(count)) if hasattr(module, "fit") else {}


def scores(name, arrays):
    module, found = fitted(name)
    return module.score({**arrays, **found})


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(numerics, "ENTRIES", 5 * WIDTH)
    monkeypatch.setattr(numerics, "ROWS", 1)
    monkeypatch.setattr(knn, "PRODUCTS", 1)


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name):
    several = images(9, seed=1)
    found = scores(name, several)
    assert found.shape == (9,)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    shared = ("weight", "bias", "text", "ood_text")
    for count in (0, 1):
        first = {key: value if key in shared else value[:count] for key, value in several.items()}
        np.testing.assert_allclose(scores(name, first), found[:count], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_change_nothing(name, request):
    several = images(70, seed=2)
    whole = scores(name, several)
    request.getfixturevalue("small_blocks")
    np.testing.assert_allclose(scores(name, several), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_nan_comes_through(name):
    """So that the stage can refuse it, by image set; other images are untouched."""
    several = images(6, seed=3)
    clean = scores(name, several)
    for key in ("features", "logits", "l2"):
        several[key] = several[key].copy()
        several[key][2, 1] = np.nan
    found = scores(name, several)
    assert np.isnan(found[2])
    np.testing.assert_allclose(np.delete(found, 2), np.delete(clean, 2), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_constant_images_score_alike(name):
    one = images(1, seed=4)
    shared = {"weight", "bias", "text", "ood_text"}
    same = {key: value if key in shared else np.repeat(value, 7, 0) for key, value in one.items()}
    found = scores(name, same)
    np.testing.assert_allclose(found, found[0], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_active_unit(name):
    """The features are zero and the logits are the bias."""
    dead = images(3)
    dead["features"] = np.zeros_like(dead["features"])
    dead["l2"] = dead["max"] = dead["features"]
    dead["logits"] = np.repeat(dead["bias"][None], 3, 0)
    found = scores(name, dead)
    assert np.isfinite(found).all()
    of_bias = np.log(np.exp(dead["bias"].astype(np.float64)).sum())
    wanted = {
        **dict.fromkeys(("nan", "gradnorm", "feature_norm", "ccfn", "dml", "she"), 0),
        **dict.fromkeys(("energy", "react", "dice", "scale", "ash"), of_bias),
        "knn": -1,
        "catex": 1 / CLASSES,
    }
    if name in wanted:
        np.testing.assert_allclose(found, wanted[name], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["maxlogit", "msp", "energy", "gen", "mcm", "temperature", "gradnorm"]
)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_logits(name, size):
    several = images(3)
    several["logits"] = np.full((3, CLASSES), size, np.float32)
    several["logits"][:, 1] += 10
    found = scores(name, several)
    assert np.isfinite(found).all()
    if name in ("maxlogit", "energy"):
        np.testing.assert_allclose(found, size + 10, rtol=1e-5)


def test_saturated_softmax_keeps_ranks():
    """float32 probabilities are 1 here, all of them."""
    logits = np.zeros((4, 3), np.float32)
    logits[:, 0] = (18, 20, 25, 30)
    assert (np.diff(msp.score({"logits": logits})) > 0).all()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1000.0])
def test_precision_of_float32_logits(temperature):
    logits = (np.random.default_rng(5).normal(size=(500, 10)) * 20).astype(np.float32)
    exactly = logits.astype(np.float64)
    for module in (energy, mcm):
        found = module.score({"logits": logits}, temperature)
        wanted = module.score({"logits": exactly}, temperature)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_top_units_that_add_up_to_zero():
    """Signed features, as a vision transformer has them, are then left as they are."""
    arrays = images(1)
    z = np.array([[-2.0, -1, 1, -1]], np.float32)
    arrays |= {"features": z, "weight": arrays["weight"][:, :4]}
    wanted = energy.score({"logits": z @ arrays["weight"].T + arrays["bias"]})
    np.testing.assert_allclose(scale.score(arrays, percentile=50.0), wanted, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e-3, 2 / 87])  # exp overflows; only its product does
def test_top_units_that_nearly_add_up_to_zero_are_refused(unit):
    z = np.array([[-1, -1, -unit / 2, -unit / 2]], np.float32)
    weight, bias = np.full((2, 4), 9, np.float32), np.zeros(2, np.float32)
    arrays = {"features": z, "weight": weight, "bias": bias}
    with pytest.raises(PenumbraError, match=r"scale: scaled by exp\(\d+.* after a ReLU"):
        scale.score(arrays, percentile=50.0)


def test_react_takes_linear_interpolation():
    arrays = images(37)
    for percentile in (0.0, 33.3, 90.0, 100.0):
        (found,) = react.fit(arrays, percentile=percentile)["threshold"]
        wanted = np.percentile(arrays["features"].astype(np.float64), percentile)
        assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("module", [react, dice])
@pytest.mark.parametrize("percentile", [-1.0, 101.0])
def test_percentiles_out_of_range(module, percentile):
    name = module.__name__.rpartition(".")[2]
    with pytest.raises(PenumbraError, match=f"{name}.*percentile"):
        module.fit(images(8), percentile=percentile)


@pytest.mark.parametrize("module", [scale, ash])
@pytest.mark.parametrize("percentile", [-10.0, 100.0, 120.0])
def test_shaped_activations_keep_some_units(module, percentile):
    with pytest.raises(PenumbraError, match=rf"{module.__name__.rpartition('.')[2]}.*percentile"):
        module.score(images(2), percentile=percentile)


@pytest.mark.parametrize("variant", ["s", "b", "p"])
@pytest.mark.parametrize("percentile", [0.0, 45.0, 90.0])
def test_ash_shapes_one_image_after_the_other(variant, percentile):
    arrays = images(20, seed=5)
    arrays["features"] += np.linspace(0.01, 0.02, WIDTH, dtype=np.float32)  # no two alike
    wanted = []
    for z in torch.from_numpy(arrays["features"]).double():
        kept, places = z.topk(WIDTH - round(WIDTH * percentile / 100))
        values = {
            "p": kept,
            "b": torch.full_like(kept, float(z.sum() / len(kept))),
            "s": kept * torch.exp(z.sum() / kept.sum()),
        }[variant]
        shaped = torch.zeros_like(z).scatter(0, places, values).numpy()
        wanted.append(np.logaddexp.reduce(arrays["weight"] @ shaped + arrays["bias"]))
    np.testing.assert_allclose(ash.score(arrays, variant, percentile), wanted, rtol=1e-5)


def test_ash_without_pruning_is_the_energy():
    arrays = images(9, seed=5)
    np.testing.assert_allclose(ash.score(arrays, "p", 0.0), energy.score(arrays), rtol=1e-5)


@pytest.mark.parametrize(("gamma", "top"), [(0.1, 100), (0.5, 2), (1.0, 1)])
def test_gen_is_the_confidence_that_pro_lowers(gamma, top):
    sure = np.array([[60, 0, 0, 0], [900, 0, 1, 2]], np.float32)
    logits = np.concatenate([images(9)["logits"], sure])
    wanted = pro.confidence(torch.from_numpy(logits), "gen", gamma=gamma, top=top)
    found = gen.score({"logits": logits}, gamma, top)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-30)


def test_she_remembers_what_is_classified_right():
    arrays = images(40)
    arrays["logits"] = np.eye(CLASSES, dtype=np.float32)[arrays["labels"]]
    wrong = np.arange(0, 40, 8)  # every other image of class 0
    arrays["logits"][wrong] = arrays["logits"][1]
    arrays["logits"][arrays["labels"] == 2] = arrays["logits"][1]  # none of class 2 is right
    pattern = she.fit(arrays)["pattern"]
    members = {0: np.setdiff1d(np.arange(0, 40, 4), wrong), 2: np.arange(2, 40, 4)}
    for label, rows in members.items():
        np.testing.assert_allclose(pattern[label], arrays["features"][rows].mean(0), rtol=1e-5)
    found = she.score({**arrays, "pattern": pattern})
    np.testing.assert_allclose(found[2], arrays["features"][2] @ pattern[1], rtol=1e-5)


@pytest.mark.parametrize("module", [react, dice, knn, mahalanobis, rmds, she, ssd, vim])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fits_refuse_what_is_not_finite(module, value):
    arrays = images(40)
    arrays["features"][3, 2] = value
    name = module.__name__.rpartition(".")[2]
    with np.errstate(invalid="ignore"), pytest.raises(PenumbraError, match=name):
        module.fit(arrays)


def test_knn_needs_k_images():
    bank = knn.fit(images(8))
    for k in (0, 9):
        with pytest.raises(PenumbraError, match=f"k = {k} .* 8 images"):
            knn.score({**images(2), **bank}, k)
    assert len(knn.score({**images(2), **bank}, 8)) == 2


def test_knn_keeps_no_zero_vector_and_finds_what_it_holds():
    arrays = images(20)
    arrays["features"][4] = 0
    bank = knn.fit(arrays)
    assert len(bank["bank"]) == 19
    found = knn.score({"features": np.delete(arrays["features"], 4, 0), **bank}, 1)
    np.testing.assert_allclose(found, 0, atol=1e-13)


def test_knn_is_exact():
    arrays, query = images(300), images(50, seed=6)["features"].astype(np.float64)
    found = knn.score({"features": query.astype(np.float32), **knn.fit(arrays)}, 7)
    points, bank = (
        x / np.linalg.norm(x, axis=1, keepdims=True)
        for x in (query, arrays["features"].astype(np.float64))
    )
    wanted = -np.sort(((points[:, None] - bank) ** 2).sum(2), 1)[:, 6]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-7)


@pytest.mark.parametrize("module", [mahalanobis, rmds, she])
def test_classes_need_images(module):
    arrays = images(20)
    arrays["labels"] = np.where(arrays["labels"] == 2, 3, arrays["labels"])
    with pytest.raises(PenumbraError, match="class 2 has no image"):
        module.fit(arrays)
    arrays["labels"] = np.full(20, -1)
    with pytest.raises(PenumbraError, match="classes are known"):
        module.fit(arrays)


def test_ssd_of_classes_needs_images():
    arrays = images(20)
    arrays["labels"] = arrays["labels"] * 2
    with pytest.raises(PenumbraError, match="class 1 has no image"):
        ssd.fit(arrays, clusters="labels")
    with pytest.raises(PenumbraError, match="unknown clusters"):
        ssd.fit(arrays, clusters="kmeans")


@pytest.mark.parametrize("module", [mahalanobis, rmds, ssd])
def test_images_that_do_not_vary(module):
    arrays = images(8)
    arrays["features"] = np.full_like(arrays["features"], 0.5)
    with pytest.raises(PenumbraError, match="do not vary"):
        module.fit(arrays)


def test_mahalanobis_ignores_dead_units():
    """Their pseudo-inverse is 0, so a unit that only an outlier activates changes nothing."""
    arrays = images(100)
    alive = np.delete(np.arange(WIDTH), 5)
    test = images(6, seed=7)["features"]
    test[:, 5] = 3
    found = mahalanobis.score({"features": test, **mahalanobis.fit(arrays)})
    arrays["features"] = arrays["features"][:, alive]
    fit = mahalanobis.fit(arrays)
    assert fit["whitening"].shape == (WIDTH - 1, WIDTH - 1)
    wanted = mahalanobis.score({"features": test[:, alive], **fit})
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_rmds_common_covariance_is_that_of_all_images():
    arrays = images(90)
    found = rmds.fit(arrays)["common_whitening"]
    wanted = np.linalg.pinv(np.cov(arrays["features"].T.astype(np.float64), bias=True), rcond=1e-12)
    np.testing.assert_allclose(found @ found.T, wanted, rtol=1e-8, atol=1e-9)


def test_vim_chooses_its_dimension():
    for width, dim in ((2048, 1000), (768, 512), (640, 320)):
        assert numerics.principal_dim(width) == dim
    assert vim.fit(images(60))["residual"].shape == (WIDTH, WIDTH - WIDTH // 2)
    for dim in (0, WIDTH, 1000):
        with pytest.raises(
            PenumbraError, match=f"dim {dim} .* choose one of 1 to {WIDTH - 1} in its entry: `fit: "
        ):
            vim.fit(images(60), dim=dim)
    alone = {**images(60), "weight": np.ones((2, 1)), "features": np.ones((60, 1))}
    with pytest.raises(PenumbraError, match="no dim does, so leave the scorer out"):
        vim.fit(alone)


def test_vim_needs_a_residual():
    arrays = images(60)
    arrays["features"] = arrays["features"][:, :2] @ np.eye(2, WIDTH, dtype=np.float32)
    arrays["weight"] = arrays["weight"] @ np.diag([1.0, 1] + [0] * (WIDTH - 2))
    with pytest.raises(PenumbraError, match=r"at most 6 directions.*`fit: {dim: 1}`"):
        vim.fit(arrays)
    assert vim.fit(arrays, dim=1)["residual"].shape == (WIDTH, WIDTH - 1)


def test_temperatures_without_an_optimum():
    arrays = images(30)
    with pytest.raises(PenumbraError, match="unknown search"):
        temperature.fit(arrays, search="grid")
    right = {**arrays, "labels": arrays["logits"].argmax(1)}
    with pytest.raises(PenumbraError, match="classified right"):
        temperature.fit(right)
    wrong = {**arrays, "labels": arrays["logits"].argmin(1)}
    with pytest.raises(PenumbraError, match="no better than chance"):
        temperature.fit(wrong)
    flat = {**arrays, "logits": np.ones_like(arrays["logits"])}
    with pytest.raises(PenumbraError, match="no spread"):
        temperature.fit(flat)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_temperature_scales_with_the_logits(size):
    draw = np.random.default_rng(8)
    logits = draw.normal(size=(400, 5))
    labels = (logits + draw.gumbel(size=logits.shape)).argmax(1)
    (unscaled,) = temperature.fit({"logits": logits, "labels": labels})["temperature"]
    assert unscaled == pytest.approx(1, abs=0.2)
    (found,) = temperature.fit({"logits": logits * size, "labels": labels})["temperature"]
    assert found == pytest.approx(unscaled * size, rel=1e-9)


def test_otod_of_one_hot_and_of_uniform_vectors():
    """A uniform vector of norm 1 has entries 1/√dim; a one-hot one is nearer to 0 than to 1/dim."""
    uniform = {"logits": np.ones((1, 4)), "features": np.ones((1, 16))}
    wanted = -((1 / 4 - 1 / 16) + 2 * (1 / 2 - 1 / 4)) / 3
    assert otod.score(uniform)[0] == pytest.approx(wanted, rel=1e-8)
    zero = {"logits": np.ones((1, 4)), "features": np.zeros((1, 16))}
    assert otod.score(zero)[0] == pytest.approx(-2 * (1 / 2 - 1 / 4) / 3, rel=1e-8)


def test_gradnorm_is_the_gradient():
    torch = pytest.importorskip("torch")
    arrays = images(5)
    z = torch.from_numpy(arrays["features"]).double()
    bias = torch.from_numpy(arrays["bias"]).double()
    for row, wanted in zip(z, gradnorm.score(arrays), strict=True):
        weight = torch.from_numpy(arrays["weight"]).double().requires_grad_()
        (-torch.log_softmax(weight @ row + bias, 0).sum()).backward()
        assert weight.grad.abs().sum().item() == pytest.approx(wanted, rel=1e-5)


def test_dml_weighs_the_norm():
    arrays = images(5)
    cosine, both = dml.score(arrays, norm_weight=0.0), dml.score(arrays, norm_weight=0.5)
    assert (np.abs(cosine) <= 1 + 1e-6).all()
    norm = np.linalg.norm(arrays["features"], axis=1)
    np.testing.assert_allclose(both - cosine, norm / 2, rtol=1e-5)


def test_dml_plus_needs_positive_sums():
    arrays = images(5)
    with pytest.raises(PenumbraError, match="cosine_sum"):
        dml_plus.fit({**arrays, "logits": -np.abs(arrays["logits"])})
    with pytest.raises(PenumbraError, match="norm_sum"):
        dml_plus.fit({**arrays, "features": np.zeros_like(arrays["features"])})


def test_catex_needs_its_prompts():
    arrays = images(3)
    with pytest.raises(PenumbraError, match="no text and no ood_text"):
        catex.score({"features": arrays["features"]})
    with pytest.raises(PenumbraError, match="do not belong together"):
        catex.score({**arrays, "ood_text": arrays["ood_text"][:2]})
    gates_of_one = catex.score(arrays, least=1.0)
    cosines = numerics.unit(arrays["features"]) @ numerics.unit(arrays["text"]).T
    np.testing.assert_allclose(gates_of_one, mcm.score({"logits": cosines}), rtol=1e-6)


def test_nan_counts_active_units():
    assert nan.score({"features": np.array([[0.0, 2, 4, 0]])})[0] == 3


def test_further_readings_of_ccfn():
    maps = np.array([[1.0, 2, 2], [4.0, 0, 3]])  # two channels of three positions
    arrays = {"l2": np.linalg.norm(maps, axis=1)[None], "max": maps.max(1)[None]}
    assert ccfn.score(arrays, "l2_whole_map")[0] == pytest.approx(np.sqrt(34) * 4)
    assert ccfn.score(arrays, "max_squared")[0] == pytest.approx((6**2 + 20**2) / 2)


def test_dice_that_keeps_nothing_is_refused():
    with pytest.raises(PenumbraError, match="no contribution lies above the percentile 100"):
        dice.fit(images(50), percentile=100.0)


def test_vim_needs_positive_logits():
    arrays = images(50)
    with pytest.raises(PenumbraError, match=r"mean largest logit .* is -"):
        vim.fit({**arrays, "logits": arrays["logits"] - 1000})


def test_temperature_needs_known_classes():
    arrays = images(50)
    labels = arrays["labels"].copy()
    labels[3] = -1
    with pytest.raises(PenumbraError, match="whose classes the model knows"):
        temperature.fit({**arrays, "labels": labels})


def test_feature_norm_is_the_length_of_the_features():
    arrays = images(9)
    wanted = np.linalg.norm(arrays["features"].astype(np.float64), axis=1)
    np.testing.assert_allclose(scores("feature_norm", arrays), wanted, rtol=1e-6)
