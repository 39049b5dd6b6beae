"""Detector: a model, a scorer and its scores of held-out ID images in one file to take away."""

import numpy as np
import torch

from penumbra.detector.calibration import calibrate
from penumbra.detector.file import FITTED, HELDOUT, OOD, Description, write
from penumbra.detector.scoring import Scoring
from penumbra.errors import PenumbraError
from penumbra.networks.inference import Reader
from penumbra.seeds import derive
from penumbra.stages.shared.blocks import block_read
from penumbra.stages.shared.fitting import fitted_tensors, told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.read import Read
from penumbra.stages.shared.reading import image_groups, known_classes, open_reader
from penumbra.store.artifacts import read_checkpoint

TPR = 0.95  # until the file is exported at another


def run(job: Job) -> None:
    """Put the network and the fit together, score held-out and OOD images, calibrate."""
    config = job.config
    reader = open_reader(job)
    tensors = _tensors(job, reader)
    block = Read("", "")
    if config["block"]:
        block = block_read(job, config["block"], reader)
    scorer = {**config["scorer"], "block": block.block, "instead_of": block.instead_of}
    scoring = Scoring(reader, scorer, tensors)
    scores = {role: _scores(job, scoring, config[role]) for role in (HELDOUT, OOD) if config[role]}
    calibration, why = _calibrated(job, scores)
    description = Description(
        backbone=config["backbone"],
        normalisation=config["normalisation"],
        size=config["size"],
        square=config["square"],
        classes=known_classes(job),
        precision=config["precision"],
        channels_last=config["channels_last"],
        batch_size=config["batch_size"],
        scorer=scorer,
        calibration=calibration,
        uncalibrated=why,
        names={"world": config["world"], **job.wildcards},
        tpr=TPR,
    )
    given = {role: torch.from_numpy(values) for role, values in scores.items()}
    write(job.outputs["detector"], description, {**tensors, **given}, job.provenance())
    job.record(job.outputs["detector"])


def _tensors(job: Job, reader: Reader) -> dict:
    """The network's tensors, the map where one is added, and the scorer's fit."""
    model = read_checkpoint(job.input("model")).items()
    tensors = {name: tensor for name, tensor in model if name.startswith("model.")}
    if reader.perturb:
        place, learned = reader.perturb
        tensors[f"map@{place}"] = learned
    fitted = fitted_tensors(job, job.config["scorer"])
    return tensors | {FITTED + name: tensor for name, tensor in fitted.items()}


def _scores(job: Job, scoring: Scoring, image_set: str) -> np.ndarray:
    """Scores (N,) of an image set, one row group at a time."""
    with told(job):
        groups = image_groups(job, [image_set])
        return np.concatenate([scoring(group.images.pixels, image_set) for group in groups])


def _calibrated(job: Job, scores: dict[str, np.ndarray]) -> tuple[dict | None, str]:
    """The map to P(ID), or why there is none."""
    if OOD not in scores:
        why = f"benchmark {job.wildcards['benchmark']} names no `calibration_ood`"
    else:
        try:
            seed = derive("detectors", *job.wildcards.values())
            made = calibrate(scores[HELDOUT], scores[OOD], seed)
        except PenumbraError as error:
            why = str(error)
        else:
            job.report(f"ECE on held-out halves {made['held_out']['ece_width']:.4f}")
            return made, ""
    job.report(f"no P(ID): {why}")
    return None, why


if __name__ == "__main__":
    main(run)
