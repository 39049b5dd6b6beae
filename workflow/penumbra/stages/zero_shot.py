"""Zero-shot model: CLIP and the names of the training images' classes -> checkpoint."""

from pathlib import Path

from penumbra.images.classes import in_words
from penumbra.images.image_set import classes_of
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import write_checkpoint
from penumbra.training.determinism import determinism, pick_device
from penumbra.training.methods.zero_shot import classifier


def run(job: Job) -> None:
    """Embed the classes' prompts; no image is looked at."""
    config = job.config
    determinism(config["threads"])
    device = pick_device(config["device"])
    classes = in_words(classes_of(job.input("train")), config["words"])
    prompt = config["recipe"]["options"]["prompt"]
    model = classifier(Path(config["backbone"]["folder"]), classes, prompt, device)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    write_checkpoint(job.outputs["model"], tensors, job.provenance())
    job.record(job.outputs["model"], device=device.type)


if __name__ == "__main__":
    main(run)
