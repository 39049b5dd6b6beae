"""Encoded photographs as a listed image set and as outliers, and trainers that stream them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import torch

from penumbra.images.entries import Address, Entries, Entry
from penumbra.images.originals import Originals, to_tables
from penumbra.networks.backbones import resnet
from penumbra.outliers.store import to_png
from penumbra.store.artifacts import write_parquet
from penumbra.training.loop import Trainer
from penumbra.training.method import Setting
from penumbra.training.methods import energy, standard, uat
from penumbra.training.pool import outlier_spool
from penumbra.training.streaming import Streaming
from tests.images.helpers import photographs
from tests.training.helpers import CPU, HALF, RECIPE, UAT, digits

SIDE, COUNT = 16, 22
AUGMENT = {"flip": True, "crop_padding": 0, "crop_scale": (0.08, 1.0)}
ENERGY = {
    "beta": 1.0, "phi": "linear", "monotone": True, "reduction": "concat_mean", "outlier_batch": 3,
}  # fmt: skip
BUILD = {"standard": (standard, {}), "uat": (uat, UAT), "energy": (energy, ENERGY)}


def write_images(folder, count=COUNT):
    """Photographs of several sizes in three classes, as JPEG; their entries."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, image in enumerate(photographs(count, 60)):
        file = folder / f"{i}.jpg"
        image.crop((0, 0, 60 - i, 40 + i % 7)).save(file)
        rows.append(Entry(file.name, i % 3, lambda: None, i, Address(file)))
    return Entries(rows, ["a", "b", "c"])


def table_of(entries, way="crop"):
    """The rows of the listed set `encoded`."""
    return pa.concat_tables(to_tables(entries, "encoded", way, SIDE, 8, 1))


def listed(folder, **changes):
    return Originals(table_of(write_images(folder), **changes))


def spool(folder, count=10):
    """Digits as outliers of 24×24 in two shards; half of them are kept for this fold."""
    pixels = digits(count)[0].repeat(2, 2).repeat(2, 3)[:, :, :24, :24]
    files = []
    for part in np.array_split(np.arange(count), 2):
        rows = {
            "outlier": [f"o{i}" for i in part],
            "image": pa.array([to_png(pixels[i]) for i in part], pa.binary()),
        }
        files.append(folder / f"{part[0]}.parquet")
        write_parquet(files[-1], pa.table(rows), {})
    return outlier_spool(files, None, (0, 2), SIDE, folder)


def streaming(images, workers=2, **changes):
    """A feeder of encoded images with so many threads."""
    return Streaming(
        images, HALF, channels_last=False, device=CPU, workers=ThreadPoolExecutor(workers),
        **(AUGMENT | changes),
    )  # fmt: skip


def trainer(folder, method="standard", workers=2, **changes):
    """A trainer of five full batches of four and one of two."""
    torch.manual_seed(0)
    model = resnet.build(3, 18, 2, "fn")
    half = torch.full((1, 3, 1, 1), 0.5)
    against = streaming(spool(folder), workers) if method == "energy" else None
    setting = Setting(model, (3, SIDE, SIDE), half, half.clone(), 0, CPU, against)
    module, options = BUILD[method]
    feeder = streaming(listed(folder / "images"), workers)
    recipe = RECIPE | {"batch_size": 4, "epochs": 2, "lr": 0.01} | changes
    return Trainer(model, feeder, module.build(options, setting), recipe, 0)
