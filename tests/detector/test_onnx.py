"""The graph: its scorers are those of numpy, and its scores the detector's."""

import json
import re

import numpy as np
import pytest
import torch

from penumbra.cli import main
from penumbra.detector import onnx
from penumbra.detector.detector import Detector
from penumbra.detector.file import HELDOUT, write
from penumbra.detector.onnx_scores import SCORES
from penumbra.errors import PenumbraError
from penumbra.plugins import load, names
from tests.detector.conftest import CODE, described, noise, scorer, weights

OPTIONS = {
    "energy": [{}, {"temperature": 2.0}],
    "scale": [{}, {"percentile": 0.0}],
    "knn": [{"k": 1}, {"k": 20}],
    "ccfn": [{"calibration": c} for c in ("max", "none", "l2", "l2_whole_map", "max_squared")],
}


def outputs(count, seed):
    rng = np.random.default_rng(seed)
    features = np.maximum(rng.normal(size=(count, 24)), 0).astype(np.float32)
    features[0] = 0
    weight = np.random.default_rng(9).normal(size=(5, 24)).astype(np.float32)
    bias = np.linspace(-1, 1, 5, dtype=np.float32)
    arrays = {"features": features, "logits": features @ weight.T + bias}
    statistics = {name: np.abs(features) + i for i, name in enumerate(("l2", "max"))}
    return {**arrays, **statistics, "weight": weight, "bias": bias}


@pytest.mark.parametrize("module", sorted(SCORES))
def test_a_scorer_in_torch_is_that_in_numpy(module):
    plugin, images = load("scores", module), outputs(30, 1)
    fitted = {}
    if hasattr(plugin, "fit"):
        labels = np.random.default_rng(2).integers(0, 5, 200)
        fitted = plugin.fit({**outputs(200, 0), "labels": labels})
    given = {name: torch.from_numpy(array) for name, array in (images | fitted).items()}
    for options in OPTIONS.get(module, [{}]):
        wanted = plugin.score(images | fitted, **options)
        made = SCORES[module](given, **options)
        assert made.dtype == torch.float64
        assert np.allclose(made.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_they_are_modules_of_scores():
    assert set(SCORES) <= set(names("scores"))


@pytest.fixture
def made(tmp_path):
    def make(**changes):
        tensors = {**weights(), HELDOUT: torch.linspace(0, 9, 10).double()}
        tensors["map@block2.0"] = torch.full((1, 32, 8, 8), 0.5)
        file = tmp_path / "made.safetensors"
        write(file, described(**changes), tensors, CODE)
        return file

    return make


def test_a_graph_of_a_block_behind_a_map(made, tmp_path, capsys):
    """Any number of images, and metadata that say how it is used."""
    import onnxruntime

    file = made(scorer=scorer("ccfn", ("l2", "max"), "block3.0"))
    out = tmp_path / "graph.onnx"
    assert main(["detector", "onnx", str(file), str(out)]) == 0
    assert "largest difference of a score" in capsys.readouterr().out
    detector, session = Detector.load(file, "cpu"), onnxruntime.InferenceSession(out)
    for count in (1, 7):
        pixels = noise(count)
        score, logits = session.run(None, {"images": pixels.astype(np.float32)})
        assert np.allclose(score, detector.scores(pixels), rtol=1e-4)
        assert logits.shape == (count, 3)
    stated = session.get_modelmeta().custom_metadata_map
    assert float(stated["threshold"]) == detector.threshold
    assert json.loads(stated["classes"]) == ["cat", "dog", "owl"]


def test_a_graph_that_differs_is_not_written(made, tmp_path, monkeypatch):
    monkeypatch.setitem(SCORES, "energy", lambda arrays: arrays["logits"].double().sum(1))
    out = tmp_path / "graph.onnx"
    with pytest.raises(PenumbraError, match="from the detector's on random images"):
        onnx.write(Detector.load(made(), "cpu"), out)
    assert [path.name for path in tmp_path.iterdir()] == ["made.safetensors"]


@pytest.mark.parametrize(
    ("changes", "out", "message"),
    [
        ({"scorer": scorer("odin", ("gradients",))}, "x.onnx", "odin cannot be .* ccfn, dice, en"),
        ({"precision": "bfloat16"}, "x.onnx", "computes in bfloat16, and a graph in float32"),
        ({}, "x.pb", "x.pb: it is written as .onnx"),
        ({}, "nowhere/x.onnx", "there is no folder"),
    ],
)
def test_what_has_no_graph(made, tmp_path, changes, out, message, capsys):
    assert main(["detector", "onnx", str(made(**changes)), str(tmp_path / out)]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_packages_that_are_missing_are_named(made, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "PACKAGES", ("onnx", "onnx_of_no_one"))
    with pytest.raises(PenumbraError, match=r"onnx_of_no_one: .*pip install penumbra\[onnx\]"):
        onnx.write(Detector.load(made(), "cpu"), tmp_path / "x.onnx")
