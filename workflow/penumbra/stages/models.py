"""Model: training images and a recipe -> checkpoint and history."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from penumbra.images.feeding import Source
from penumbra.images.image_set import ImageSet, opened
from penumbra.images.originals import Originals, is_listed
from penumbra.images.unpacked import Unpacked
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main, seeded
from penumbra.stages.shared.resuming import SCRATCH, resume_of
from penumbra.store.artifacts import read_parquet, write_checkpoint, write_parquet
from penumbra.store.columns import table
from penumbra.training.classifiers import trainer
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Train, resuming where a run of the same identity was stopped or killed."""
    config, names = job.config, job.wildcards
    determinism(config["threads"], config["compile"])
    device = pick_device(config["device"])
    # The recipe is left out: runs that differ only in it share initial weights and data order.
    seed = derive("model", names["benchmark"], names["backbone"], names["seed"])
    training = trainer(config, *_images(job), seed, device)
    provenance = seeded(job.provenance(), seed)
    resume = resume_of(job, provenance, device)
    history = training.run(resume, job.report)
    tensors = {f"model.{k}": v for k, v in training.model.state_dict().items()}
    write_parquet(job.outputs["history"], table(history), provenance)
    write_checkpoint(job.outputs["model"], tensors | training.method.artifacts(), provenance)
    more = {"device": _device_name(device), "images": len(training.feeder)}
    job.record(job.outputs["model"], resume.earlier, **more)
    resume.discard()


def _images(job: Job) -> tuple[ImageSet | Originals | Unpacked, np.ndarray | Source | None]:
    """The job's images, and its outliers at their size; None where it has none.

    Both stream, or both lie on the device.
    """
    streams = job.config["streams"]
    images = _opened(job.input("train"), streams)
    chosen, size = job.config["outliers"], images.shape[-1]
    if chosen is None:
        return images, None
    if "images" in chosen:
        given = _opened(job.input("outliers"), streams)
        return images, given.pixels if isinstance(given, ImageSet) else given
    selection = None
    if "selection" in job.inputs:
        selection = read_parquet(job.input("selection"), ["outlier", "kept"])
    # By name, as its spec lists it: an edit there reruns detectors, and no other model.
    pool, shards = load("training", "pool"), job.inputs["outliers"]
    outliers: np.ndarray | Source
    if streams:
        outliers = pool.outlier_spool(shards, selection, chosen["fold"], size, SCRATCH / "models")
    else:
        rows = [read_parquet(path, ["outlier", "image"]) for path in shards]
        outliers = pool.outlier_pixels(rows, selection, chosen["fold"], size)
    job.report(f"{len(outliers)} outliers of {sum(pq.read_metadata(s).num_rows for s in shards)}")
    return images, outliers


def _opened(path: Path, streams: bool) -> ImageSet | Originals | Unpacked:
    """An image set; of those that stream, images out of a tokenizer, and others, are decoded."""
    if streams and not is_listed(pq.read_schema(path)):
        return Unpacked(path, SCRATCH / "models")
    return opened(path)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    main(run)
