"""A world whose test set is as large as one likes: its shards of small JPEGs, and its config."""

import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from benchmarks.worlds import ROOT

SIDE, CLASSES, TRAIN = 32, 1_000, 2_000
SHARD, GROUP = 10_000, 100  # images; the Hugging Face hub serves ImageNet in row groups of 100
KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

TABLE = {
    "title": "Scale",
    "backbone": "narrow",
    "columns": [{"group": "far", "metrics": ["fpr95", "auroc"]}, {"metrics": ["test_accuracy"]}],
    "rows": [
        {"label": name, "recipe": "standard", "scorer": name}
        for name in ("energy", "knn", "vim", "fn", "odin")
    ],
}


def world(images: int) -> dict:
    """The config that is laid over the embedded world's: `images` in the test set."""
    return {
        "world": "scale",
        "data_root": "data",
        "seeds": [0],
        "compute": {"device": "cpu", "batch_size": 1000},
        "datasets": {
            "scale": {
                "title": "Noise of a thousand colours",
                "reader": "stored",
                "licence": "none needed",
                "source": "made by benchmarks/scale_world.py",
                "labelled": True,
                "classes": CLASSES,
                "size": SIDE,
                "splits": {"train": {"count": TRAIN}, "test": {"count": images}},
            }
        },
        "image_sets": {
            "scale-train": {"dataset": "scale", "split": "train", "label": "Scale"},
            "scale-test": {"dataset": "scale", "split": "test", "label": "Scale"},
        },
        "benchmarks": {
            "scale": {
                "label": "Scale",
                "train": "scale-train",
                "test": "scale-test",
                "ood": {"far": ["textures"]},
                "missing": "error",
                "normalisation": {"mean": [0.5] * 3, "std": [0.5] * 3},
            }
        },
        "roles": {"main": "scale"},
        "backbones": {
            "narrow": {
                "label": "Narrow ResNet-34",
                "network": "resnet",
                "options": {"layers": 34, "width": 4, "stem": "imagenet"},
            }
        },
        "recipes": {"standard": {"epochs": 1, "batch_size": 100}},
        "tables": ["scale"],
        "figures": [],
    }


def checkout(folder: Path, images: int) -> None:
    """A copy of the workflow with this world as its scale.yaml."""
    for name in ("Snakefile", "config", "envs", "workflow", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / "scale.yaml").write_text(yaml.safe_dump(world(images)))
    (folder / "config/tables/scale.yaml").write_text(yaml.safe_dump(TABLE))


def write_shards(folder: Path, split: str, count: int, seed: int) -> None:
    """`count` images in files <split>-<number>-of-<total>.parquet, classes in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).integers(0, 200, (CLASSES, 4, 4, 3))
    total = -(-count // SHARD)
    names = ",".join(f"class{i:03}" for i in range(CLASSES))
    for number in range(total):
        size = min(SHARD, count - number * SHARD)
        labels = np.arange(number * SHARD, number * SHARD + size) % CLASSES
        encoded = [_jpeg(pixels) for pixels in _pixels(rng, patterns[labels])]
        paths = [f"{split}_{number * SHARD + i:08}.JPEG" for i in range(size)]
        table = shard(encoded, paths, labels).replace_schema_metadata({"classes": names})
        file = folder / f"{split}-{number:05}-of-{total:05}.parquet"
        pq.write_table(table, file, row_group_size=GROUP)


def shard(encoded: list[bytes], paths: list[str], labels: np.ndarray) -> pa.Table:
    """The columns that the reader of stored images takes."""
    columns = [pa.array(encoded, pa.binary()), pa.array(paths, pa.string())]
    images = pa.StructArray.from_arrays(columns, fields=list(KIND))
    return pa.table({"image": images, "label": pa.array(labels)})


def _pixels(rng: np.random.Generator, patterns: np.ndarray) -> np.ndarray:
    """uint8 (n, 32, 32, 3): a class's coarse pattern with coarse noise of each image's own."""
    noise = rng.integers(0, 56, (len(patterns), 8, 8, 3))
    coarse = patterns.repeat(2, 1).repeat(2, 2) + noise
    return coarse.astype(np.uint8).repeat(4, 1).repeat(4, 2)


def _jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()
