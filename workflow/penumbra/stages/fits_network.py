"""Fits through the network: what a scorer takes from ID images' maps or gradients."""

from penumbra.evaluation.probing import autograd, probe_of
from penumbra.evaluation.scoring import refuse_infinite
from penumbra.images.balanced import balanced
from penumbra.images.image_set import labels_of, pixels_at
from penumbra.plugins import load
from penumbra.stages.shared.fitting import told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import image_path, open_reader
from penumbra.store.artifacts import write_checkpoint


def run(job: Job) -> None:
    """Call the scorer's fit() with the network on training or held-out images."""
    config = job.config
    reader = open_reader(job)
    scorer = load("scores", config["module"])
    path = image_path(job, config["image_set"])
    pixels = pixels_at(path, balanced(labels_of(path), config["images"]))
    with told(job):
        with autograd(config["needs"]):
            given = probe_of(reader, {}), reader.batches(pixels)
            fitted = scorer.fit(*given, **config["options"])
        refuse_infinite((name, value.cpu().numpy()) for name, value in fitted.items())
    # Copies, as a scorer may return views of one tensor, which a checkpoint refuses.
    own = {name: value.clone() for name, value in fitted.items()}
    write_checkpoint(job.outputs["fitted"], own, job.provenance())
    job.record(job.outputs["fitted"], images=len(pixels))


if __name__ == "__main__":
    main(run)
