"""Conformance of beta calibration with the betacal package and with exact maximum likelihood."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from penumbra.calibration.maps import beta

NAME = re.compile(r"out/(\w+)_(abm|am|ab|a)_(betacal|mle)_(\w+)")


@pytest.fixture(scope="session")
def cases(request):
    path = request.config.getoption("--vectors") / "networks"
    files = sorted(path.glob("betacal*.safetensors"))
    if not files:
        pytest.skip(f"no conformance vectors in {path}; name their folder with --vectors")
    return [(load_file(file), json.loads(file.with_suffix(".json").read_text())) for file in files]


def energy_of(scores):
    """E of s = σ(-E), with s clipped as betacal does."""
    eps = np.finfo(scores.dtype).eps
    s = np.clip(scores, eps, 1 - eps).astype(np.float64)
    return np.log1p(-s) - np.log(s)


def midpoint(fitted, mode):
    """The score that maps to 1/2, or the end of (0, 1) that comes nearest."""
    low, high = 0.0, 1.0
    if mode in ("ab", "a"):  # by construction at 1/2; an ab that is not monotone has another one
        low = high = 0.5
        assert beta.probability(np.zeros(1), fitted)[0] == pytest.approx(0.5, abs=1e-12)
    while high - low > 1e-12:
        middle = (low + high) / 2
        q = beta.probability(energy_of(np.array([middle])), fitted)[0]
        low, high = (low, middle) if q >= 0.5 else (middle, high)
    return low


def intercept_of(fitted, mode):
    """betacal's ab takes logarithms of 2s and 2(1 - s), which hold all of our c."""
    a, b, c = (fitted[key][0] for key in "abc")
    return c - (a - b) * np.log(2) if mode == "ab" else c


def parameters_of(map_, intercept, mode):
    """betacal's parameters as ours."""
    a, b, _ = map_
    c = intercept[0] + ((a - b) * np.log(2) if mode == "ab" else 0)
    return {"a": [a], "b": [b], "c": [c], "centre": [0.0], "scale": [1.0]}


def fits(cases):
    """Each case: its name and mode, expected outputs, tolerances, scores, grid and our fit."""
    for tensors, side in cases:
        outputs = {}
        for name in tensors:
            if name.startswith("out/"):
                case, mode, source, kind = NAME.fullmatch(name).groups()
                tolerance = side["tolerance"][name.removeprefix("out/")]
                outputs.setdefault((case, mode), {})[source, kind] = tensors[name], tolerance
        for (case, mode), wanted in outputs.items():
            scores, is_id = tensors[f"in/{case}_scores"], tensors[f"in/{case}_labels"] == 1
            fitted = beta.fit(energy_of(scores), is_id, parameters=mode)
            yield f"{case}_{mode}", mode, wanted, scores, tensors["in/grid"], fitted


def near(found, wanted, tolerance, name):
    np.testing.assert_allclose(found, wanted, tolerance["rtol"], tolerance["atol"], err_msg=name)


def test_fits(cases):
    for name, mode, outputs, scores, grid, fitted in fits(cases):
        for (source, kind), (wanted, tolerance) in outputs.items():
            if kind == "predict_scores":
                # The tolerance was measured on the grid; betacal's own error is larger beyond it.
                inside = (scores >= grid.min()) & (scores <= grid.max())
                found = beta.probability(energy_of(scores[inside]), fitted)
                wanted = wanted[inside]
            elif kind == "predict_grid":
                found = beta.probability(energy_of(grid), fitted)
            elif kind == "map_abm":
                found = [*fitted["a"], *fitted["b"], midpoint(fitted, mode)]
            elif kind == "intercept":
                found = [intercept_of(fitted, mode)]
            else:
                assert kind == "abc"
                found = [fitted[key][0] for key in "abc"]
            near(found, wanted, tolerance, f"{name}_{source}_{kind}")


def test_maps_of_the_packages_parameters(cases):
    for name, mode, outputs, scores, grid, _ in fits(cases):
        map_, intercept = (outputs["betacal", key][0] for key in ("map_abm", "intercept"))
        parameters = parameters_of(map_, intercept, mode)
        for kind, given in (("predict_grid", grid), ("predict_scores", scores)):
            found = beta.probability(energy_of(given), parameters)
            wanted, tolerance = outputs["betacal", kind]
            near(found, wanted, tolerance, f"{name}_{kind}")
