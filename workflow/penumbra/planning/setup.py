"""What the Snakefile does before it has rules: read the world, or end with one clear message."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from penumbra.audit.artifacts import COMMIT, dumps
from penumbra.audit.closure import everything
from penumbra.errors import PenumbraError
from penumbra.planning.checks import check
from penumbra.planning.config import load_yaml, merge
from penumbra.planning.requirements import require
from penumbra.planning.tables import Tables
from penumbra.planning.world import World
from penumbra.training.gpus import GPUS, VISIBLE

PLAN = "PENUMBRA_PLAN"  # Slurm hands the environment of a call on to its jobs


def set_up(config: Mapping[str, Any], base: Path, workflow: Any) -> tuple[World, Tables]:
    """The checked world of a call of Snakemake, and its tables; exits with a message else."""
    is_planner = not workflow.remote_exec
    if is_planner:
        logger.info("Reading the config, and looking for the data that it names.")
    try:
        files = [base / "config/config.yaml", *map(Path, workflow.overwrite_configfiles or [])]
        # Used as a module of another workflow, this one is given what that one's config says.
        world = World(merge(load_yaml(files[0]), config), base / "config", files)
        check(world)
        tables = Tables(world)
        require(world, tables)
    except PenumbraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    _set_environment(base, world)
    if is_planner:
        logger.info(f"World {world.name}: planning its jobs.")
    else:
        _hold_to_plan(base, world)
    return world, tables


def hand_on_plan(base: Path, world: World, workflow: Any) -> None:
    """Let the jobs of a call on a cluster know which code and config they were planned with."""
    if not workflow.local_exec:
        os.environ[PLAN] = dumps([_config(world), _text(base), everything()])


def _hold_to_plan(base: Path, world: World) -> None:
    """End a cluster's job whose code or config is not that of the call that submitted it.

    A job reads both anew on its node, and would take an edit made in between for its plan.
    """
    if PLAN not in os.environ:
        print(
            "error: the environment of the call did not reach this job, which so cannot know its "
            "plan; let the cluster hand it on (sbatch --export=ALL, which is its default)",
            file=sys.stderr,
        )
        sys.exit(1)
    config, text, code = json.loads(os.environ[PLAN])
    is_same_code = text == _text(base) or code == everything()  # the first is quick to see
    if config != _config(world) or not is_same_code:
        print(
            "error: the code or the config changed after the jobs were planned; call snakemake "
            "again",
            file=sys.stderr,
        )
        sys.exit(1)


def _config(world: World) -> str:
    return hashlib.sha256(dumps(world.config).encode()).hexdigest()


def _text(base: Path) -> str:
    """A digest of the modules as they are written, comments and all."""
    digest = hashlib.sha256()
    for file in sorted((base / "workflow").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _set_environment(base: Path, world: World) -> None:
    """Stages run with this interpreter and this checkout, however Snakemake was called."""
    found = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found])
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(base / "workflow"), given]))
    os.environ["PYTHONUTF8"] = "1"  # their logs and file names do not depend on the locale
    if commit := _commit(base):
        os.environ[COMMIT] = commit
    if world.root is not None:
        os.environ["PENUMBRA_DATA_ROOT"] = str(world.root.resolve())


def _commit(base: Path) -> str:
    """The commit of this checkout; empty where the project was unpacked, not cloned."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(base), "describe", "--always", "--dirty", "--abbrev=40"]
    told = subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def share_gpus(workflow: Any) -> None:
    """Let the jobs of a local call on several GPUs (`--resources gpu=4`) take one each."""
    count = workflow.resource_settings.resources.get("gpu").value
    if workflow.local_exec and isinstance(count, int) and count > 1:
        visible = os.environ.get(VISIBLE) or ",".join(map(str, range(count)))
        os.environ[GPUS] = ",".join(visible.split(",")[:count])


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
