"""Conformance with the published implementations: shapes and sizes come from the files."""

import json
import math

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import metrics
from penumbra.evaluation.norms import feature_norms, jigsaw, norm_ratios
from penumbra.networks.inference import STATISTICS, Reader, statistics
from penumbra.scores import ccfn, energy, fn, msp
from tests.vectors.scoring import CPU, HALF, IDENTITY, as_double, close, expected, network


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


# Each calibration, and what the vectors call it.
SAME = ("none", "l2", "var", "mean", "min", "max", "var_unbiased", "l2_whole_map")
CALIBRATIONS = {name: name for name in SAME} | {"max_squared": "max_squared_text_A10"}


def ccfn_of(maps, calibration):
    found = statistics(torch.from_numpy(maps).double(), STATISTICS)
    return ccfn.score({key: value.numpy() for key, value in found.items()}, calibration)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("side", ["id", "ood"])
def test_ccfn(folder, arrays, exact, side, calibration):
    wanted = expected(folder, "ccfn")
    for block, key in (("block6", f"{side}_map_block6"), ("block7", f"{side}_map_layer4")):
        target = wanted[f"{side}_{block}_{CALIBRATIONS[calibration]}"]
        close(ccfn_of(exact[f"{side}_{block}"], calibration), target)
        close(ccfn_of(arrays[key], calibration), target, 1e-5)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_ccfn_of_signed_maps(folder, calibration):
    wanted = expected(folder, "ccfn")
    target = wanted[f"signed_{CALIBRATIONS[calibration]}"]
    close(ccfn_of(wanted["signed_array"], calibration), target)


def test_keys_of_ccfn(folder):
    wanted = expected(folder, "ccfn")
    groups = ("id_block6", "id_block7", "ood_block6", "ood_block7", "signed")
    known = {f"{group}_{name}" for group in groups for name in CALIBRATIONS.values()}
    assert set(wanted) == known | {"id", "ood", "signed_array"}
    for side in ("id", "ood"):
        assert np.array_equal(wanted[side], wanted[f"{side}_block6_max"])


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
