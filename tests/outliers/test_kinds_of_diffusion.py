"""Dream-OOD's and SONA's outlier sets: the same whatever the shards, each row with what made it."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.generative.stable_diffusion import read
from penumbra.outliers.asked import Asked, Generator, Sampling
from penumbra.outliers.kinds import dream, sona
from penumbra.outliers.store import from_png
from penumbra.parts import stable_diffusion
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import column, matrix, vectors
from tests.diffusion import small_stable_diffusion

CLASSES = ["n1", "n2"]
SAMPLING = {"queue": 8, "neighbour": 2, "boundary": 4, "chosen": 2, "candidates": 9, "kept": 2}
SAMPLING |= {"deviation": 0.2}


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    folder = small_stable_diffusion(tmp_path_factory.mktemp("diffusion"))
    return Generator(folder, stable_diffusion, read(folder), {}, {})


@pytest.fixture
def train(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 8, 8), np.uint8)
    labels = np.repeat([0, 1], 5)
    images = ImageSet(pixels, labels, [f"file {i}" for i in range(10)], CLASSES)
    write_parquet(tmp_path / "train.parquet", to_table(images), {})
    return tmp_path / "train.parquet"


def sampling(shard, per_class=6, counts=(10, 10)):
    values = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    columns = {
        "label": column(np.repeat([0, 1], counts)),
        "representation": vectors(F.normalize(values, dim=1).numpy()),
    }
    meta = {b"classes": json.dumps(CLASSES).encode(), b"encoder": b"text-latent"}
    return Sampling(
        options={"per_class": per_class, "sampling": SAMPLING}, seed=3, shard=shard,
        device=torch.device("cpu"), graphs=False,
        representations=pa.table(columns).replace_schema_metadata(meta),
        file=None, state={}, trained=CLASSES,
    )  # fmt: skip


def asked(generator, shard="0of1", decoding=None, **more):
    given = Generator(generator.file, generator.module, generator.state, {}, decoding)
    kept = {"options": {}, "embeddings": None, "train": None, "given": None, **more}
    return Asked(
        seed=3, shard=shard, grey=False, device=torch.device("cpu"), batch_size=4,
        generator=given, classes=CLASSES, words=["cat", "dog"], **kept,
    )  # fmt: skip


def test_dreams_embeddings_are_the_same_in_any_shards():
    whole = dream.embeddings(sampling("0of1"))
    parts = [dream.embeddings(sampling(f"{i}of5")) for i in range(5)]
    assert pa.concat_tables(parts).equals(whole)
    assert whole["outlier"].to_pylist()[:5] == ["n1/0/0", "n1/0/1", "n1/0/2", "n1/0/3", "n1/1/0"]
    assert whole["label"].to_pylist() == [0] * 6 + [1] * 6
    assert all(
        row // 10 == label
        for row, label in zip(*(whole[k].to_pylist() for k in ("anchor", "label")), strict=True)
    )
    points = matrix(whole["embedding"])
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    assert len(np.unique(points.round(5), axis=0)) == 12


def test_dreams_of_imbalanced_classes_are_as_many_as_their_images():
    whole = dream.embeddings(sampling("0of1", None, (8, 12)))
    assert whole["label"].to_pylist() == [0] * 8 + [1] * 12
    parts = [dream.embeddings(sampling(f"{i}of3", None, (8, 12))) for i in range(3)]
    assert pa.concat_tables(parts).equals(whole)


def test_dreams_images_are_those_of_their_rows(generator):
    """Each by its own embedding, class and seed, whatever the batches; hints change a class's."""
    rows = dream.embeddings(sampling("0of1"))
    decoding = {"steps": 2, "size": 12, "prompt": "a {}"}
    whole = dream.outliers(asked(generator, decoding=decoding, embeddings=rows))
    assert whole.column_names[: rows.num_columns] == rows.column_names
    images = pngs(whole)
    assert images.shape == (12, 3, 12, 12)
    some = dream.outliers(asked(generator, decoding=decoding, embeddings=rows.slice(5, 3)))
    assert np.abs(pngs(some) - images[5:8]).max() <= 1
    hinted = decoding | {"hints": {"n2": "{} b"}}
    other = pngs(dream.outliers(asked(generator, decoding=hinted, embeddings=rows)))
    assert np.abs(other - images)[:6].max() <= 1
    assert np.abs(other - images)[6:].max() > 1


def test_sonas_outliers_are_of_every_training_image(generator, train):
    guidance = {"steps": 4, "semantic_warmup": 1, "nuisance_warmup": 2}
    given = {"decoding": {"size": 8, "guidance": guidance}, "train": train}
    given["options"] = {"concepts": ["Cat", "cow", "pig"]}
    whole = sona.outliers(asked(generator, **given))
    assert whole["outlier"].to_pylist()[::5] == ["n1/file 0", "n2/file 5"]
    assert whole["anchor"].to_pylist() == [*range(10)]
    assert {*whole["concept"].to_pylist()} == {"cow", "pig"}
    assert {*whole["start"].to_pylist()} <= {0, 1, 2, 3}
    last = sona.outliers(asked(generator, "2of3", **given))
    assert last["concept"].to_pylist() == whole["concept"].to_pylist()[6:]
    assert np.abs(pngs(last) - pngs(whole)[6:]).max() <= 2
    given["options"] = {"concepts": ["cat", "DOG"]}
    with pytest.raises(PenumbraError, match="each of them is called as an ID class"):
        sona.outliers(asked(generator, **given))


def pngs(table):
    return np.stack([from_png(data) for data in table["image"].to_pylist()]).astype(int)
