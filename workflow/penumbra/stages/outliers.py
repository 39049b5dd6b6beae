"""Outliers: one shard of an outlier set, as its kind makes it."""

from pathlib import Path

from penumbra.images.classes import in_words
from penumbra.images.image_set import classes_of
from penumbra.networks.loading.clip_files import spoken
from penumbra.outliers.asked import Asked, Generator
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """One call of the kind."""
    config = job.config
    determinism(config["threads"])
    embeddings = _only(job, "embeddings")
    classes = classes_of(job.input("train"))
    asked = Asked(
        options=config["options"],
        seed=config["seed"],
        shard=job.wildcards["shard"],
        grey=config["grey"],
        device=pick_device(config["device"]),
        batch_size=config["batch_size"],
        embeddings=embeddings and read_parquet(embeddings),
        train=job.input("train"),
        given=_only(job, "given"),
        generator=_generator(job),
        classes=classes,
        words=spoken(in_words(classes, config.get("words", {}))),
    )
    table = load("outliers.kinds", config["kind"]).outliers(asked)
    job.report(f"{len(table)} outliers")
    write_parquet(job.outputs["outliers"], table, job.provenance())
    job.record(job.outputs["outliers"], images=len(table))


def _only(job: Job, name: str) -> Path | None:
    """A file that not every kind reads."""
    return job.input(name) if job.inputs.get(name) else None


def _generator(job: Job) -> Generator | None:
    file, part = _only(job, "generator"), job.config["generator"]
    if file is None:
        return None
    module = load("parts", part["kind"])
    return Generator(file, module, read_checkpoint(file), part["options"], part["decoding"])


if __name__ == "__main__":
    main(run)
