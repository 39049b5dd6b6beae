"""Conformance with the published implementations: shapes and sizes come from the files."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import metrics
from penumbra.evaluation.norms import feature_norms, jigsaw, norm_ratios
from penumbra.networks.inference import STATISTICS, Reader, statistics
from penumbra.networks.resnet18 import build
from penumbra.scores import ccfn, energy, fn, msp

CPU = torch.device("cpu")
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
IDENTITY = {"mean": [0.0] * 3, "std": [1.0] * 3}


@pytest.fixture(scope="session")
def folder(request):
    path = request.config.getoption("--vectors") / "scores"
    if not path.is_dir():
        pytest.skip(f"no conformance vectors in {path}; name their folder with --vectors")
    return path


def expected(folder, name):
    path = folder / "expected" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"this set of vectors has no {name}")
    return np.load(path)


@pytest.fixture(scope="session")
def arrays(folder):
    return np.load(folder / "arrays.npz")


@pytest.fixture(scope="session")
def pixels(folder):
    return np.load(folder / "images_u8.npz")


def network(folder, stem_padding):
    weights = load_file(folder / "net.safetensors")
    classes, width = len(weights["fc.bias"]), len(weights["bn1.weight"])
    model = build(classes, width=width, stem_padding=stem_padding)
    model.load_state_dict(weights)
    return model.eval()


def as_double(model, normalisation=HALF):
    """A reader whose inputs are float64."""
    reader = Reader(model.double(), normalisation, None, 128, CPU)
    for key in ("mean", "std"):
        exact = torch.tensor(normalisation[key], dtype=torch.float64).reshape(1, 3, 1, 1)
        setattr(reader, key, exact)
    return reader


def close(found, wanted, rtol=1e-9):
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * scale)


@pytest.fixture(scope="session")
def exact(folder, pixels):
    """Logits and maps of the network in float64."""
    reader = as_double(network(folder, 1))
    blocks = reader.model.blocks[-2:]
    with torch.inference_mode():
        found = {}
        for side in ("id", "ood"):
            parts = [
                (reader.model(x), reader.model.maps(x, blocks))
                for x in reader.batches(pixels[side])
            ]
            found[f"{side}_logits"] = torch.cat([logits for logits, _ in parts]).numpy()
            for key, block in zip(("block6", "block7"), blocks, strict=True):
                found[f"{side}_{key}"] = torch.cat([maps[block] for _, maps in parts]).numpy()
    return found


@pytest.mark.parametrize("side", ["id", "ood"])
def test_msp(folder, arrays, exact, side):
    wanted = expected(folder, "msp")
    close(msp.score({"logits": exact[f"{side}_logits"]}), wanted[f"{side}_f64"])
    close(msp.score({"logits": arrays[f"{side}_logits"]}), wanted[side], 1e-5)


@pytest.mark.parametrize("side", ["id", "ood"])
def test_energy(folder, arrays, exact, side):
    names = sorted(p.stem for p in (folder / "expected").glob("energy_T*.npz"))
    assert names
    for name in names:
        wanted, temperature = expected(folder, name), float(name.removeprefix("energy_T"))
        close(energy.score({"logits": exact[f"{side}_logits"]}, temperature), wanted[f"{side}_f64"])
        close(energy.score({"logits": arrays[f"{side}_logits"]}, temperature), wanted[side], 1e-5)


@pytest.mark.parametrize("stem_padding", [1, 2])
@pytest.mark.parametrize("side", ["id", "ood"])
def test_fn_of_every_block(folder, pixels, stem_padding, side):
    wanted = expected(folder, f"fn_blocks_stempad{stem_padding}")
    model = network(folder, stem_padding)
    for double, key, rtol in ((False, side, 1e-5), (True, f"{side}_f64", 1e-9)):
        reader = as_double(model) if double else Reader(model, HALF, None, 128, CPU)
        for column, block in enumerate(model.blocks):
            parts = {"l2": []}
            with torch.inference_mode():
                for x in reader.batches(pixels[side]):
                    parts["l2"].append(statistics(model.maps(x, (block,))[block], ("l2",))["l2"])
            found = fn.score({"l2": torch.cat(parts["l2"]).numpy()})
            close(found, wanted[key][:, column], rtol)


@pytest.mark.parametrize("stem_padding", [1, 2])
@pytest.mark.parametrize(("kind", "normalisation"), [("normalised", HALF), ("raw", IDENTITY)])
def test_norm_ratio(folder, pixels, stem_padding, kind, normalisation):
    wanted = expected(folder, f"fn_blocks_stempad{stem_padding}")
    orders = torch.from_numpy(wanted["jigsaw_tile_order"].astype(np.int64))
    reader = as_double(network(folder, stem_padding), normalisation)
    found = norm_ratios(reader, pixels["train"], orders)
    close(np.array(list(found.values())), wanted[f"normratio_{kind}_f64"])


def test_jigsaw_image(folder, pixels):
    wanted = expected(folder, "fn_blocks_stempad1")
    first = wanted["jigsaw_first8_u8"]
    orders = torch.from_numpy(wanted["jigsaw_tile_order"][: len(first)].astype(np.int64))
    found = jigsaw(torch.from_numpy(pixels["train"][: len(first)]), orders)
    assert np.array_equal(found.numpy(), first)


def test_feature_norms_read_all_blocks(folder, pixels):
    reader = as_double(network(folder, 1))
    wanted = expected(folder, "fn_blocks_stempad1")["id_f64"]
    with torch.inference_mode():
        found = feature_norms(reader, next(reader.batches(pixels["id"][:16])))
    close(torch.stack(list(found.values()), 1).numpy(), wanted[:16])


CALIBRATIONS = ["none", "l2", "var", "mean", "min", "max"]


def ccfn_of(maps, calibration):
    found = statistics(torch.from_numpy(maps).double(), STATISTICS)
    return ccfn.score({key: value.numpy() for key, value in found.items()}, calibration)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("side", ["id", "ood"])
def test_ccfn(folder, arrays, exact, side, calibration):
    wanted = expected(folder, "ccfn")
    for block, key in (("block6", f"{side}_map_block6"), ("block7", f"{side}_map_layer4")):
        target = wanted[f"{side}_{block}_{calibration}"]
        close(ccfn_of(exact[f"{side}_{block}"], calibration), target)
        close(ccfn_of(arrays[key], calibration), target, 1e-5)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_ccfn_of_signed_maps(folder, calibration):
    wanted = expected(folder, "ccfn")
    close(ccfn_of(wanted["signed_array"], calibration), wanted[f"signed_{calibration}"])


def by_prefix(case, prefix):
    return next(value for key, value in case.items() if key.startswith(prefix))


def metric_cases(folder):
    scores = np.load(folder / "metrics_scores.npz")
    results = json.loads((folder / "metrics_expected.json").read_text())
    assert results
    for name, case in results.items():
        yield name, scores[f"{name}__id"], scores[f"{name}__ood"], case


def test_metrics_are_fns(folder):
    """FN's three, gradnorm's AUPR of OOD, and scikit-learn's FPR with OOD positive."""
    checked = 0
    for name, inliers, outliers, case in metric_cases(folder):
        wanted = by_prefix(case, "fn ")
        if isinstance(wanted, str) or any(map(math.isnan, wanted)):
            continue
        found = metrics(inliers, outliers, name)
        close([found["auroc"], found["aupr_id"], found["fpr95"]], wanted, 1e-9)
        close([found["aupr_ood"]], [by_prefix(case, "gradnorm")[2]], 1e-9)
        close([found["fpr95_ood_positive"]], [by_prefix(case, "sklearn")[4]], 1e-9)
        checked += 1
    assert checked


def test_metrics_refuse_what_has_no_answer(folder):
    for name, inliers, outliers, _ in metric_cases(folder):
        joined = np.concatenate([inliers, outliers])
        if not len(inliers) or not len(outliers) or np.isnan(joined).any():
            with pytest.raises(PenumbraError, match=name):
                metrics(inliers, outliers, name)


def test_infinities_count_by_rank(folder):
    for name, inliers, outliers, case in metric_cases(folder):
        if np.isinf(np.concatenate([inliers, outliers])).any():
            wanted = by_prefix(case, "pytorch-ood")
            assert metrics(inliers, outliers, name)["auroc"] == pytest.approx(wanted[0], abs=1e-9)
