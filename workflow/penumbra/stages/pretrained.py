"""Given model: weights that were trained elsewhere -> checkpoint."""

from penumbra.errors import PenumbraError
from penumbra.images.classes import lines_of
from penumbra.images.image_set import classes_of
from penumbra.images.names import quoted
from penumbra.networks.loading.metadata import check_normalisation, preprocessing
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import write_checkpoint
from penumbra.training.determinism import determinism
from penumbra.training.methods.pretrained import tensors


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
    made = tensors(config["backbone"], file, classes, _order(job))
    write_checkpoint(job.outputs["model"], made, job.provenance())
    job.record(job.outputs["model"])


def _check_numbered(classes: list[str]) -> None:
    """Refuse numbered classes whose order depends on who sorts them.

    Raises:
        PenumbraError: as numbers they are in another order than as text, as torchvision has them.
    """
    if all(name.isdecimal() for name in classes) and sorted(classes) != classes:
        raise PenumbraError(
            f"classes {quoted(classes)} are in the order of numbers here, and programs that sort "
            "them as text, as torchvision's ImageFolder, have another: name that of the network's "
            "logits by `classes`, a text file with a class a line, beside `weights`"
        )


def _order(job: Job) -> list[str] | None:
    """The classes in the order of the network's logits, where a file names it."""
    if "classes" not in job.inputs:
        _check_numbered(classes_of(job.input("train")))
        return None
    return lines_of(job.input("classes"))


if __name__ == "__main__":
    main(run)
