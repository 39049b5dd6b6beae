"""Blocks: a recipe's first model and training images -> the block that norm ratios choose."""

from penumbra.evaluation.norms import largest, norm_ratios
from penumbra.images.image_set import evenly, pixels_at, row_group_sizes
from penumbra.stages.shared.blocks import check_blocks
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import open_reader
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import table


def run(job: Job) -> None:
    """Norm ratios of all blocks on clean images, as FN takes them; a map belongs to scoring."""
    reader, train = open_reader(job), job.input("train")
    check_blocks(reader)
    voters = evenly(sum(row_group_sizes(train)), job.config["images"])
    ratios = norm_ratios(reader, pixels_at(train, voters))
    chosen = largest(ratios)
    job.report(f"block {chosen}, norm ratio {ratios[chosen]:.3f}")
    rows = [{"block": b, "norm_ratio": r, "chosen": b == chosen} for b, r in ratios.items()]
    write_parquet(job.outputs["blocks"], table(rows), job.provenance())
    job.record(job.outputs["blocks"], images=len(voters))


if __name__ == "__main__":
    main(run)
