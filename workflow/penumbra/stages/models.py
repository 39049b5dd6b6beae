"""Model: training images and a recipe -> checkpoint and history."""

import numpy as np
import torch

from penumbra.images.augment import Feeder
from penumbra.images.image_set import from_table
from penumbra.networks.inference import build
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main, seeded
from penumbra.stages.shared.resuming import resume_of
from penumbra.store.artifacts import read_parquet, write_checkpoint, write_parquet
from penumbra.store.columns import table
from penumbra.training.determinism import determinism, pick_device
from penumbra.training.loop import Trainer
from penumbra.training.method import Setting


def run(job: Job) -> None:
    """Train, resuming where a run of the same identity was stopped or killed."""
    config, names = job.config, job.wildcards
    determinism(config["threads"], config["compile"])
    device = pick_device(config["device"])
    # The recipe is left out: runs that differ only in it share initial weights and data order.
    seed = derive("model", names["benchmark"], names["backbone"], names["seed"])
    trainer = make_trainer(job, seed, device)
    provenance = seeded(job.provenance(), seed)
    resume = resume_of(job, provenance, device)
    history = trainer.run(resume, job.report)
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    write_parquet(job.outputs["history"], table(history), provenance)
    write_checkpoint(job.outputs["model"], tensors | trainer.method.artifacts(), provenance)
    job.record(job.outputs["model"], device=_device_name(device), images=len(trainer.feeder))
    resume.discard()


def make_trainer(job: Job, seed: int, device: torch.device) -> Trainer:
    """Network, images on the device, method and loop, as the job's config says."""
    config, recipe = job.config, job.config["recipe"]
    images = from_table(read_parquet(job.input("train")))
    torch.manual_seed(derive(seed, "init"))
    model = build(config["backbone"], len(images.classes)).to(device)
    if config["channels_last"]:
        model = model.to(memory_format=torch.channels_last)
    feeder = make_feeder(config, images.pixels, images.labels, device)
    mean, std = (
        torch.tensor(config["normalisation"][key], device=device).reshape(1, -1, 1, 1)
        for key in ("mean", "std")
    )
    outliers = outlier_feeder(job, images.pixels.shape[-1], device)
    setting = Setting(
        model, images.pixels.shape[1:], mean, std, seed, device, outliers,
        lowered=recipe["precision"] == "bfloat16",
        graphs=config["graphs"] and device.type == "cuda",
    )  # fmt: skip
    method = load("training.methods", recipe["method"]).build(recipe["options"], setting)
    return Trainer(model, feeder, method, recipe, seed, config["compile"])


def make_feeder(
    config: dict, pixels: np.ndarray, labels: np.ndarray, device: torch.device
) -> Feeder:
    """Images on the device, augmented as the recipe says."""
    return Feeder(
        pixels,
        labels,
        config["normalisation"],
        **config["recipe"]["augment"],
        channels_last=config["channels_last"],
        device=device,
    )


def outlier_feeder(job: Job, size: int, device: torch.device) -> Feeder | None:
    """The outliers that the job trains on, at the size of the ID images; None where it has none."""
    chosen = job.config["outliers"]
    if chosen is None:
        return None
    shards = [read_parquet(path, ["outlier", "image"]) for path in job.inputs["outliers"]]
    selection = None
    if "selection" in job.inputs:
        selection = read_parquet(job.input("selection"), ["outlier", "kept"])
    # By name, as its spec lists it: an edit there reruns detectors, and no other model.
    pool = load("training", "pool")
    pixels = pool.outlier_pixels(shards, selection, chosen["fold"], size)
    job.report(f"{len(pixels)} outliers of {sum(map(len, shards))}")
    return make_feeder(job.config, pixels, np.zeros(len(pixels), np.int64), device)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    main(run)
