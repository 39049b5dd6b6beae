"""Part: images, or a published file -> the checkpoint of a generative part."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from penumbra.images.classes import in_words
from penumbra.images.image_set import from_table, opened
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.loading.clip_files import spoken
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main, seeded
from penumbra.stages.shared.resuming import resume_of
from penumbra.store.artifacts import (
    read_checkpoint,
    read_parquet,
    write_checkpoint,
    write_parquet,
)
from penumbra.store.columns import matrix, table
from penumbra.training.determinism import determinism, pick_device
from penumbra.training.part_data import Data
from penumbra.training.parts import trained

if TYPE_CHECKING:
    from penumbra.networks.generative.autoencoder import Autoencoder


def run(job: Job) -> None:
    """Train, resuming where a killed run of the same identity stopped; or check and take over."""
    config = job.config
    determinism(config["threads"])
    module = load("parts", config["kind"])
    encoder = _encoder(job)
    if config["training"] is None:
        weights = Path(os.path.commonpath(job.inputs["weights"]))  # a file, or a folder of files
        state = module.published(weights, config["options"], encoder)
        if "autoencoder" in job.inputs:
            state = {**state, **module.first_stage(_autoencoder(job))}
        provenance = job.provenance()
        if config["classes"] is not None:
            module.check_classes(weights, state, config["classes"])
            provenance["classes"] = config["classes"]
        job.report(f"{len(state)} tensors of {weights}")
        rows = [{"tensors": len(state), "numbers": sum(t.numel() for t in state.values())}]
        finish(job, state, rows, provenance, earlier=0)
        return
    device = pick_device(config["device"])
    seed = derive("part", job.wildcards["part"])
    if hasattr(module, "trainer"):
        _by_classes(job, module, seed, device)
        return
    torch.manual_seed(derive(seed, "init"))  # before a tokenizer is built, which draws weights, too
    data = _data(job, encoder, device)
    provenance = {**seeded(job.provenance(), seed), "classes": data.classes}
    resume = resume_of(job, provenance, device)
    given = module, data, config["options"], config["training"]
    state, history = trained(*given, seed, resume, job.report)
    finish(job, state, history, provenance, resume.earlier)
    resume.discard()


def _by_classes(job: Job, module: ModuleType, seed: int, device: torch.device) -> None:
    """Train a part that is a classifier, by the loop of classifiers."""
    images = opened(job.input("images"))
    words = spoken(in_words(images.classes, job.config["words"]))
    used = {name: read_checkpoint(job.input(name)) for name in job.config["uses"]}
    training = module.trainer(images, words, used, job.config, seed, device)
    provenance = {**seeded(job.provenance(), seed), "classes": images.classes}
    resume = resume_of(job, provenance, device)
    history = training.run(resume, job.report)
    finish(job, training.model.state_dict(), history, provenance, resume.earlier)
    resume.discard()


def _encoder(job: Job) -> MoCo | None:
    if "encoder" not in job.inputs:
        return None
    options = job.config["uses"]["encoder"]["options"]
    return MoCo.from_state(read_checkpoint(job.input("encoder")), options.get("heads"))


def _autoencoder(job: Job) -> "Autoencoder":
    from penumbra.networks.generative.autoencoder import with_weights

    options = job.config["uses"]["autoencoder"]["options"]
    return with_weights(options, read_checkpoint(job.input("autoencoder")))


def _data(job: Job, encoder: MoCo | None, device: torch.device) -> Data:
    """The job's images, and what its other parts made of them, on the device."""
    training = job.config["training"]
    images = from_table(read_parquet(job.input("images")))
    representations = tokenizer = autoencoder = None
    if "representations" in job.inputs:
        rows = read_parquet(job.input("representations"), ["representation"])
        representations = torch.from_numpy(matrix(rows["representation"])).to(device)
    if "tokenizer" in job.inputs:
        tokenizer = Tokenizer.from_state(read_checkpoint(job.input("tokenizer"))).to(device)
    if "autoencoder" in job.inputs:
        autoencoder = _autoencoder(job).to(device)  # type: ignore[arg-type]
    return Data(
        pixels=torch.from_numpy(images.pixels).to(device),
        labels=torch.from_numpy(images.labels).to(device),
        classes=images.classes,
        representations=representations,
        encoder=encoder and encoder.to(device),
        tokenizer=tokenizer,
        steps=training["epochs"] * max(1, len(images) // training["batch_size"]),
        batch_size=job.config["batch_size"],
        autoencoder=autoencoder,
    )


def finish(
    job: Job,
    state: Mapping[str, torch.Tensor],
    history: list[dict],
    provenance: dict[str, Any],
    earlier: float,
) -> None:
    """Write checkpoint and history."""
    write_parquet(job.outputs["history"], table(history), provenance)
    write_checkpoint(job.outputs["model"], state, provenance)
    job.record(job.outputs["model"], earlier)


if __name__ == "__main__":
    main(run)
