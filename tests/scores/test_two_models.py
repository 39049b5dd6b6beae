"""A scorer that reads two models: each image's logits and features come from one of them each."""

import numpy as np
import pyarrow as pa
import pytest
from tests.command import call

from penumbra.store.artifacts import read_arrays, read_parquet, write_parquet
from penumbra.store.columns import vectors

NAMES = {"benchmark": "digits", "backbone": "resnet18", "recipe": "dml-focal", "seed": "0"}
NAMES |= {"input": "clean", "scorer": "dml-plus"}
ROLES = ["heldout"] * 4 + ["test"] * 5 + ["ood"] * 3
SETS = ["held"] * 4 + ["digits-test"] * 5 + ["faces"] * 3
SECOND = {"features": "dml-centre"}


@pytest.fixture
def arrays(tmp_path):
    """Logits and features of two models on the same images, of other numbers each."""
    draws = np.random.default_rng(0)
    found = []
    for name in ("first", "second"):
        logits, features = (np.abs(draws.normal(size=(12, d))).astype("f4") for d in (3, 6))
        write(tmp_path / f"{name}.parquet", logits, features)
        found.append((logits, features))
    return found


def write(file, logits, features, labels=None):
    columns = {
        "image_set": SETS,
        "role": ROLES,
        "index": pa.array(range(12), pa.int32()),
        "label": pa.array(labels or [0, 1] * 6, pa.int64()),
        "logits": vectors(logits),
        "features": vectors(features),
    }
    # Held-out images lie in a row group of their own, as outputs have them.
    table = pa.table(columns)
    write_parquet(file, (table.slice(start, n) for start, n in ((0, 4), (4, 5), (9, 3))), {})


def fit(folder):
    config = {
        "module": "dml_plus", "options": {}, "needs": ["logits", "features"], "role": "heldout",
        "images": None, "second": SECOND,
    }  # fmt: skip
    files = {"outputs": ["first.parquet"], "second": ["second.parquet"]}
    made = {"fitted": "fit.safetensors"}
    return call(folder, "fits", ["penumbra.scores.dml_plus"], NAMES, config, files, made)


def score(folder):
    config = {
        "module": "dml_plus", "options": {}, "needs": ["logits", "features"], "second": SECOND,
    }  # fmt: skip
    files = {
        "features": ["first.parquet"], "second": ["second.parquet"], "fitted": ["fit.safetensors"],
    }  # fmt: skip
    made = {"scores": "scores.parquet"}
    return call(folder, "scores", ["penumbra.scores.dml_plus"], NAMES, config, files, made)


def test_logits_of_the_first_and_features_of_the_second_are_scored(tmp_path, arrays):
    (logits, _), (_, features) = arrays
    done = fit(tmp_path)
    assert done.returncode == 0, done.stderr
    cosine, norm = logits.astype(float).max(1), np.linalg.norm(features.astype(float), axis=1)
    fitted = read_arrays(tmp_path / "fit.safetensors")
    assert fitted["cosine_sum"] == pytest.approx(cosine[:4].sum(), rel=1e-6)
    assert fitted["norm_sum"] == pytest.approx(norm[:4].sum(), rel=1e-6)
    done = score(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_parquet(tmp_path / "scores.parquet").to_pylist()
    assert [row["image_set"] for row in rows] == SETS[4:]
    expected = cosine / cosine[:4].sum() + norm / norm[:4].sum()
    assert [row["score"] for row in rows] == pytest.approx(expected[4:], rel=1e-6)


def test_a_second_model_that_saw_other_images_is_refused(tmp_path, arrays):
    assert fit(tmp_path).returncode == 0
    write(tmp_path / "second.parquet", *arrays[1], labels=[1, 0] * 6)
    for done in (fit(tmp_path), score(tmp_path)):
        assert done.returncode == 1
        assert "second.parquet: the second model was read on other images" in done.stderr
