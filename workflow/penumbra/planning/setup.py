"""What the Snakefile does before it has rules: read the world, or end with one clear message."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.planning.requirements import require
from penumbra.planning.world import World


def set_up(config: Mapping[str, Any], base: Path, workflow: Any) -> World:
    """The checked world of a call of Snakemake; exits with a message where there is none."""
    try:
        files = [base / "config/config.yaml", *map(Path, workflow.overwrite_configfiles or [])]
        world = World(config, base / "config", files)
        require(world)
    except PenumbraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    _set_environment(base, world)
    return world


def _set_environment(base: Path, world: World) -> None:
    """Stages run with this interpreter and this checkout, however Snakemake was called."""
    found = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found])
    os.environ["PYTHONPATH"] = str(base / "workflow")
    if world.root is not None:
        os.environ["PENUMBRA_DATA_ROOT"] = str(world.root.resolve())


def require_executor(workflow: Any) -> None:
    """End a call that asks for Slurm where there is none: its executor fails job by job.

    Raises:
        WorkflowError: says what is missing.
    """
    if workflow.executor_plugin.name == "slurm" and shutil.which("sbatch") is None:
        raise WorkflowError(
            "the profile asks for Slurm, but sbatch is not on this machine; run on a login node of "
            "the cluster, or locally: snakemake --cores all"
        )
