"""Fits through the network: what a scorer takes from ID images' maps or gradients."""

from penumbra.audit.artifacts import write_checkpoint
from penumbra.errors import PenumbraError
from penumbra.plugins import load
from penumbra.stages.common import Job, main
from penumbra.stages.fitting import balanced, scored_model, told
from penumbra.stages.probing import autograd, probe_of
from penumbra.stages.reading import image_sets, open_reader


def run(job: Job) -> None:
    """Call the scorer's fit() with the network on training or held-out images."""
    config = job.config
    reader = open_reader(job)
    scorer = load("scores", config["module"])
    ((_, images),) = image_sets(job, [config["image_set"]])
    pixels = images.pixels
    if config["images"] is not None:
        pixels = pixels[balanced(images.labels, config["images"])]
    with told(job), autograd(config["needs"]):
        fitted = scorer.fit(probe_of(job, reader), reader.batches(pixels), **config["options"])
    for name, value in fitted.items():
        if not value.isfinite().all():
            raise PenumbraError(f"{scored_model(job)}: {name} of its fit is not finite")
    # Copies, as a scorer may return parts of one tensor, which a checkpoint refuses.
    own = {name: value.clone() for name, value in fitted.items()}
    write_checkpoint(job.outputs["fitted"], own, job.provenance())
    job.record(job.outputs["fitted"], images=len(pixels))


if __name__ == "__main__":
    main(run)
