"""Given model: weights that were trained elsewhere -> checkpoint."""

from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.image_set import classes_of
from penumbra.networks.inference import build
from penumbra.networks.loading.given import take_up
from penumbra.networks.loading.metadata import check_normalisation, preprocessing
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import write_checkpoint
from penumbra.training.determinism import determinism


def run(job: Job) -> None:
    """Take the weights up by name; no image is looked at."""
    config = job.config
    determinism(config["threads"])
    classes, file = classes_of(job.input("train")), job.input("weights")
    if not classes:
        raise PenumbraError(
            f"{job.input('train')}: its images have no classes; put each in a folder"
        )
    known = preprocessing(config["network"], file)
    check_normalisation(known, config["normalisation"], job.wildcards["benchmark"])
    model = build(config["backbone"], len(classes))
    maps = take_up(model, file, classes, _order(job))
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    write_checkpoint(job.outputs["model"], tensors | maps, job.provenance())
    job.record(job.outputs["model"])


def _order(job: Job) -> list[str] | None:
    """The classes in the order of the network's logits, where a file names it."""
    if "classes" not in job.inputs:
        return None
    lines = Path(job.input("classes")).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    main(run)
