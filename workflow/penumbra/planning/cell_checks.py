"""Whether a table's cells show something."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.planning.cells import NO_SET, Cell
from penumbra.planning.world import World


def check_cells(cells: list[Cell], table: Mapping[str, Any], world: World) -> None:
    """Refuse a table of scores on groups of OOD image sets that its benchmarks do not have.

    Sets that a benchmark has and whose data are not there are told elsewhere.

    Raises:
        PenumbraError: naming the groups that are asked for, and those that there are.
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
