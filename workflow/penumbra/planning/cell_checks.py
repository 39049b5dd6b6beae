"""Whether a table's cells show something, and compare like with like."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.planning.cells import NO_SET, Cell
from penumbra.planning.overlap import roles
from penumbra.planning.world import World


def check_cells(cells: list[Cell], table: Mapping[str, Any], world: World) -> None:
    """Refuse a table of which a world has nothing, or whose image sets are of several sizes.

    Raises:
        PenumbraError: it asks for OOD groups of which no benchmark has an image set, or a benchmark
            has image sets of another size than its training images.
    """
    _any(cells, table, world)
    for benchmark in dict.fromkeys(cell.benchmark for cell in cells if cell.files):
        _size(world, benchmark)


def _any(cells: list[Cell], table: Mapping[str, Any], world: World) -> None:
    """Refuse a table of scores on groups of OOD image sets that its benchmarks do not have.

    Sets that a benchmark has and whose data are not there are told elsewhere.
    """
    of_sets = [cell for cell in cells if METRICS[cell.metric].artifact == "metrics"]
    if not of_sets or any(cell.missing != NO_SET for cell in of_sets):
        return
    wanted = sorted({column["group"] for column in table["columns"] if "group" in column})
    benchmarks = dict.fromkeys(cell.benchmark for cell in cells if cell.benchmark)
    there = {name: world.config["benchmarks"][name]["ood"] for name in benchmarks}
    if any(group in groups for group in wanted for groups in there.values()):
        return
    has = "; ".join(f"{name} has {', '.join(groups) or 'none'}" for name, groups in there.items())
    raise PenumbraError(
        f"it shows scores on the OOD group {', '.join(wanted)}, of which no benchmark has image "
        f"sets ({has}); give the benchmark such sets, or the table's columns another group"
    )


def _size(world: World, benchmark: str) -> None:
    """All image sets have the side of the training images: the sharpness of others betrays them."""
    train = world.config["benchmarks"][benchmark]["train"]
    for place, name in roles(world, benchmark):
        if world.size(name) != world.size(train):
            raise PenumbraError(
                f"benchmarks.{benchmark}.{place}: {name} has images of {world.size(name)} pixels, "
                f"and {train} of {world.size(train)}; give one of them the `size` of the other"
            )
