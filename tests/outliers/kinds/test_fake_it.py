"""Outliers by a diffusion model: as many as asked for, each by its own number alone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from penumbra.networks.generative import ddpm as network
from penumbra.options.parts.ddpm import Options
from penumbra.outliers.asked import Asked, Generator
from penumbra.outliers.kinds.fake_it import outliers
from penumbra.outliers.store import NO_ANCHOR, from_png
from penumbra.parts import ddpm

OPTIONS = {"image_size": 8, "width": 4, "multipliers": [1], "attention": [False], "blocks": 1}


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    state = network.build(Options.of(OPTIONS)).state_dict()
    return Generator(Path("ddpm"), ddpm, state, OPTIONS, {"steps": 2})


@pytest.fixture
def asked(generator, tmp_path):
    pq.write_table(pa.table({"label": [0] * 7}), tmp_path / "train.parquet")

    def make(count=None, shard="0of1", batch_size=3, seed=0):
        return Asked(
            options={"count": count}, seed=seed, shard=shard, grey=False,
            device=torch.device("cpu"), batch_size=batch_size, embeddings=None,
            train=tmp_path / "train.parquet", given=None, generator=generator, classes=["a"],
            words=["a"],
        )  # fmt: skip

    return make


def images(table):
    return np.stack([from_png(data) for data in table["image"].to_pylist()])


def test_as_many_as_training_images_or_as_asked_for(asked):
    made = outliers(asked())
    assert len({*made["outlier"].to_pylist()}) == 7
    assert images(made).shape == (7, 3, 8, 8)
    assert {*made["anchor"].to_pylist()} == {NO_ANCHOR}
    assert len(outliers(asked(count=4))) == 4


def test_an_outlier_is_its_number_and_seed_whatever_the_shard(asked):
    whole = outliers(asked())
    shards = [outliers(asked(shard=f"{i}of2", batch_size=2)) for i in range(2)]
    both = pa.concat_tables(shards)
    for name in ("outlier", "image_seed"):
        assert both[name].to_pylist() == whole[name].to_pylist()
    assert np.abs(images(both).astype(int) - images(whole)).max() <= 1
    assert not np.array_equal(images(outliers(asked(seed=1)))[0], images(whole)[0])
