"""What the workflow does before it has rules: read the world, or end with one clear message."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.logging import logger

from penumbra.calls import plan
from penumbra.calls.environment import require_environment, set_environment
from penumbra.errors import PenumbraError
from penumbra.planning.base import laid_over
from penumbra.planning.checks import check
from penumbra.planning.requirements import require
from penumbra.planning.tables import Tables
from penumbra.planning.world import World


def set_up(config: Mapping[str, Any], home: Path, workflow: Any) -> tuple[World, Tables]:
    """The checked world of a call of Snakemake, and its tables; exits with a message else."""
    is_planner = not workflow.remote_exec
    if is_planner:
        logger.info("Reading the config, and looking for the data that it names.")
    try:
        require_environment(workflow)
        below, whole = laid_over(home / "config", config)
        files = [*below, *map(Path, workflow.overwrite_configfiles or [])]
        world = World(whole, home / "config", files)
        check(world)
        tables = Tables(world)
        require(world, tables)
    except PenumbraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    set_environment(home, world.root, world.config["download"])
    if is_planner:
        logger.info(f"World {world.name}: planning its jobs.")
    else:
        plan.hold_to(home, world.config)
    return world, tables
