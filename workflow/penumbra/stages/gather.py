"""Gather: the shards of a reading -> the artifact that one job would have written, byte by byte."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from penumbra.errors import PenumbraError
from penumbra.stages.shared.job import Job, main
from penumbra.store import seals
from penumbra.store.artifacts import ARTIFACT, dumps, provenance_of, row_groups, write_parquet


def run(job: Job) -> None:
    """The rows of all shards in order."""
    shards = job.inputs["shards"]
    made = whole_of(shards)
    write_parquet(job.outputs["whole"], in_order(shards), made)
    job.record(job.outputs["whole"], shards=len(shards))


def whole_of(shards: list[Path]) -> dict[str, Any]:
    """The provenance of the whole: that of every shard, but for its number and place.

    Raises:
        PenumbraError: the shards were made by different code, configs or inputs.
    """
    provenances = [provenance_of(shard) for shard in shards]
    for provenance in provenances:
        provenance["wildcards"].pop("shard")
        provenance.pop(ARTIFACT, None)
    for shard, provenance in zip(shards, provenances, strict=True):
        if dumps(provenance) != dumps(provenances[0]):
            raise PenumbraError(
                f"{shard}: was not made as {shards[0]} was, so both are no parts of one whole; "
                f"{seals.remake(shard)}"
            )
    return provenances[0]


def in_order(shards: list[Path]) -> Iterator[pa.Table]:
    """The tables of all shards; one without images has none."""
    for shard in shards:
        yield from row_groups(shard)


if __name__ == "__main__":
    main(run)
