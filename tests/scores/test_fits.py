"""Which images' arrays a scorer is fitted on."""

import numpy as np
import pyarrow as pa
import pytest

from penumbra.errors import PenumbraError
from penumbra.stages.shared.arrays import images_arrays
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import vectors

ROLES = ("train", "heldout", "test")


@pytest.fixture
def features():
    draws = np.random.default_rng(0)
    return {role: draws.normal(size=(8, 5)).astype(np.float32) for role in ROLES}


@pytest.fixture
def outputs(features, tmp_path):
    """Outputs in row groups of four images, labels 0 and 1 in turn."""
    names = [(role, start) for role in ROLES for start in (0, 4)]
    tables = (
        pa.table(
            {
                "role": [role] * 4,
                "label": pa.array([0, 1] * 2, pa.int64()),
                "features": vectors(features[role][start : start + 4]),
            }
        )
        for role, start in names
    )
    write_parquet(tmp_path / "outputs.parquet", tables, {})
    return tmp_path / "outputs.parquet"


@pytest.mark.parametrize("role", ["train", "heldout"])
def test_a_fit_sees_the_images_of_its_role_alone(outputs, features, role):
    found = images_arrays(outputs, ["features"], role, None)
    assert np.array_equal(found["features"], features[role])
    assert found["labels"].tolist() == [0, 1] * 4


def test_a_fit_on_fewer_images_takes_as_many_of_every_class(outputs, features):
    found = images_arrays(outputs, ["features"], "train", 4)
    assert np.array_equal(found["features"], features["train"][[0, 1, 4, 5]])
    assert found["labels"].tolist() == [0, 1, 0, 1]


def test_a_model_that_was_read_without_such_images_is_named(outputs):
    with pytest.raises(PenumbraError, match=r"outputs\.parquet: holds no shifted images"):
        images_arrays(outputs, ["features"], "shifted", None)
