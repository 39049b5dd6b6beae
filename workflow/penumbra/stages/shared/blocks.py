"""Which block of a network a job reads."""

from penumbra.errors import PenumbraError
from penumbra.evaluation.norms import behind
from penumbra.networks.inference import Reader
from penumbra.stages.shared.job import Job
from penumbra.stages.shared.read import Read
from penumbra.store.artifacts import read_parquet


def check_blocks(reader: Reader) -> None:
    """Refuse a network without feature maps.

    Raises:
        PenumbraError: it has none.
    """
    if not reader.model.blocks:
        raise PenumbraError(
            "the network has no feature maps (N, C, H, W), as FN and CCFN read: leave their rows "
            "out, as the table own_outputs does"
        )


def block_read(job: Job, asked: str, reader: Reader) -> Read:
    """`selected`: the block that was chosen for the recipe; `last`; or a block's own name.

    Raises:
        PenumbraError: the network has no such block, or the map is added behind the named one.
    """
    check_blocks(reader)
    blocks = reader.model.blocks
    wanted = {"selected": _chosen(job), "last": blocks[-1]}.get(asked, asked)
    reader.model.check_block(wanted)
    if reader.perturb is None:
        return Read(wanted, "")
    reached = behind(wanted, blocks, reader.perturb[0])
    if reached != wanted and asked != "selected":
        raise PenumbraError(
            f"block {wanted}: the map is added behind it, at {reached}, and would change nothing "
            f"of it; name {reached} or a later one as the scorer's `block`"
        )
    return Read(reached, wanted if reached != wanted else "")


def _chosen(job: Job) -> str | None:
    """The chosen block, where the job has been given the choice."""
    if "blocks" not in job.inputs:
        return None
    rows = read_parquet(job.input("blocks")).to_pylist()
    return next(row["block"] for row in rows if row["chosen"])
