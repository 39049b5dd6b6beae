"""A set's embeddings, shard by shard, and the classes of a conditional RDM."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.outliers.asked import Sampling
from penumbra.outliers.embeddings import sampled
from penumbra.outliers.store import ENCODER
from penumbra.store.columns import column, matrix, vectors
from tests.networks.test_rdm import small
from tests.outliers.test_trajectory import anchors

CLASSES = ["cat", "dog"]
OPTIONS = {
    "guidance": {"precision": "float32", "scales": [0.02, 0.05], "start": 100, "grid": 50},
    "per_class": None, "cycle": False,
}  # fmt: skip


def asked(images, shard="0of1", trained=None):
    return Sampling(
        options=OPTIONS, seed=0, shard=shard, device=torch.device("cpu"), graphs=False,
        representations=images, file=Path("rdm"), state={}, trained=trained,
    )  # fmt: skip


@pytest.fixture
def images():
    columns = {
        "origin": column([f"image {i}" for i in range(9)]),
        "label": column(np.array([0, 1, 0, 1, 0, 1, 0, 1, 0])),
        "representation": vectors(anchors(9).numpy()),
    }
    meta = {b"classes": json.dumps(CLASSES).encode(), ENCODER: b"encoder"}
    return pa.table(columns).replace_schema_metadata(meta)


def test_shards_are_runs_of_the_whole(images):
    whole = sampled(small(), asked(images))
    shards = [sampled(small(), asked(images, f"{i}of2")) for i in range(2)]
    names = [name for shard in shards for name in shard["outlier"].to_pylist()]
    assert names == whole["outlier"].to_pylist()
    assert sorted(whole["anchor"].to_pylist()) == list(range(9))
    assert whole["scale"].to_pylist().count(0.05) == 4
    parted = np.concatenate([matrix(shard["embedding"]) for shard in shards])
    np.testing.assert_allclose(parted, matrix(whole["embedding"]), atol=1e-4)
    assert whole.schema.metadata[ENCODER] == b"encoder"


def test_a_conditional_rdm_is_asked_for_the_anchors_classes_by_name(images):
    rdm = small(conditional=True, classes=3)
    found = [
        matrix(sampled(rdm, asked(images, trained=trained))["embedding"])
        for trained in (["dog", "cat", "owl"], ["cat", "dog", "owl"])
    ]
    assert not np.isclose(*found).all(1).any()
    with pytest.raises(PenumbraError, match="rdm: the RDM was trained without the classes dog"):
        sampled(rdm, asked(images, trained=["cat", "owl"]))
    with pytest.raises(
        PenumbraError,
        match=r"rdm: .* does not name its classes; name them",
    ):
        sampled(rdm, asked(images))
