"""The stages that fit scorers: which images they see, and what they refuse."""

import json

import numpy as np
import pyarrow as pa
import pytest

from penumbra.errors import PenumbraError
from penumbra.stages import fits
from penumbra.stages.shared.fitting import balanced
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import provenance_of, read_arrays, write_parquet
from penumbra.store.closure import code_of
from penumbra.store.columns import vectors

GROUPS = {"digits-train": "train", "digits-heldout": "heldout", "digits-test": "test"}


def job(tmp_path, features, role="train", images=None, **options):
    def tables():
        for (name, kind), rows in zip(GROUPS.items(), features, strict=True):
            n = len(rows)
            yield pa.table(
                {
                    "image_set": [name] * n,
                    "role": [kind] * n,
                    "index": pa.array(range(n), pa.int32()),
                    "label": pa.array([i % 2 for i in range(n)], pa.int64()),
                    "features": vectors(rows),
                }
            )

    write_parquet(tmp_path / "outputs.parquet", tables(), {})
    roots = ["penumbra.scores.react"]
    spec = {
        "rule": "fits",
        "wildcards": {
            "benchmark": "digits", "backbone": "resnet18", "recipe": "uat", "seed": "0",
            "input": "clean", "scorer": "react",
        },
        "config": {
            "module": "react", "options": options, "needs": ["features"], "role": role,
            "images": images,
        },
        "roots": roots,
        "code": code_of(["penumbra.stages.fits", *roots])["digest"],
    }  # fmt: skip
    arguments = ["--in", f"outputs={tmp_path}/outputs.parquet"]
    return Job([*arguments, "--out", f"fitted={tmp_path}/react.safetensors"], json.dumps(spec))


@pytest.fixture
def features():
    draws = np.random.default_rng(0)
    return [draws.gamma(1 + i, size=(8, 5)).astype(np.float32) for i in range(3)]


def threshold(tmp_path):
    (found,) = read_arrays(tmp_path / "react.safetensors").values()
    return float(np.squeeze(found))


@pytest.mark.parametrize(("role", "place"), [("train", 0), ("heldout", 1)])
def test_a_fit_sees_the_images_of_its_role_alone(tmp_path, features, role, place):
    fits.run(job(tmp_path, features, role, percentile=75.0))
    assert threshold(tmp_path) == pytest.approx(np.percentile(features[place], 75), rel=1e-6)
    assert provenance_of(tmp_path / "react.safetensors")["config"]["role"] == role


def test_a_fit_on_fewer_images_takes_as_many_of_every_class(tmp_path, features):
    fits.run(job(tmp_path, features, images=4, percentile=100.0))
    chosen = balanced(np.array([0, 1] * 4), 4)
    assert threshold(tmp_path) == pytest.approx(features[0][chosen].max())


def test_a_fit_that_is_not_finite_is_refused(tmp_path, features):
    features[0][3, 2] = np.nan
    with pytest.raises(PenumbraError, match=r"scorer react, model .* NaN or infinite"):
        fits.run(job(tmp_path, features))
    assert not (tmp_path / "react.safetensors").exists()


def test_places_of_a_balanced_choice():
    labels = np.repeat([0, 1, 2], [100, 50, 4])
    chosen = balanced(labels, 30)
    assert np.bincount(labels[chosen]).tolist() == [13, 13, 4]
    assert len(set(chosen)) == 30
    assert np.array_equal(chosen, np.sort(chosen))
    assert chosen[:13].max() > 80  # spread over the class
    assert np.array_equal(balanced(labels, None), np.arange(154))
    assert np.array_equal(balanced(labels, 1000), np.arange(154))
