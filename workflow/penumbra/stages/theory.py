"""Theory: features of test images, and the last layer -> what the UAT paper's lemmas speak of."""

from penumbra.errors import PenumbraError
from penumbra.evaluation.scoring import HEAD, head_arrays
from penumbra.evaluation.theory import theory
from penumbra.stages.shared.arrays import images_arrays
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_arrays, write_parquet
from penumbra.store.columns import table


def run(job: Job) -> None:
    """One row of a model under one input."""
    arrays = images_arrays(job.input("outputs"), ["features"], "test", None)
    head = head_arrays(read_arrays(job.input("model"), list(HEAD.values())))
    try:
        row = theory(arrays["features"], arrays["labels"], head["weight"], head["bias"])
    except PenumbraError as error:
        raise PenumbraError(f"{job.input('outputs')}: {error}") from error
    write_parquet(job.outputs["theory"], table([row]), job.provenance())
    job.record(job.outputs["theory"], images=len(arrays["labels"]))


if __name__ == "__main__":
    main(run)
