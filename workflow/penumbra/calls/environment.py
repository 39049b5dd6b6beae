"""What the jobs of a call find around them: interpreter, checkout, data, GPUs, executor."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.home import IS_INSTALLED
from penumbra.images.entries import DOWNLOAD, ROOT
from penumbra.store.artifacts import COMMIT
from penumbra.training.gpus import GPUS, VISIBLE

HIDDEN = ("", "-1")  # what CUDA_VISIBLE_DEVICES begins with where CUDA is to see no GPU
AHEAD = 60  # seconds: clocks of two machines may be apart
AHEAD_NAMED = 3  # files


def set_environment(base: Path, data_root: Path | None, download: bool) -> None:
    """Stages run with this interpreter and this checkout, however Snakemake was called."""
    search_path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), search_path])
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(base / "workflow"), given]))
    os.environ["PYTHONUTF8"] = "1"  # their logs and file names do not depend on the locale
    if commit := _commit(base):
        os.environ[COMMIT] = commit
    if data_root is not None:
        os.environ[ROOT] = str(data_root.resolve())
    os.environ[DOWNLOAD] = "1" if download else ""


def _commit(base: Path) -> str:
    """The commit of this checkout; empty where the project was unpacked or installed, not cloned.

    The repository that an environment lies in is another one.
    """
    git = shutil.which("git")
    if git is None or IS_INSTALLED:
        return ""
    command = [git, "-C", str(base), "describe", "--always", "--dirty", "--abbrev=40"]
    told = subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def require_environment(workflow: Any) -> None:
    """Refuse environments that Snakemake makes and that the installed package would not be in.

    Raises:
        PenumbraError: says what to do.
    """
    if IS_INSTALLED and workflow.deployment_settings.deployment_method:
        raise PenumbraError(
            "the installed package runs its jobs in the environment that it is installed in; "
            "leave --software-deployment-method out, or call snakemake in a checkout"
        )


def share_gpus(workflow: Any) -> None:
    """Let the jobs of a local call on several GPUs (`--resources gpu=4`) take one each.

    Where CUDA_VISIBLE_DEVICES hides all of them, there is none to take.
    """
    count = workflow.resource_settings.resources.get("gpu").value
    if workflow.local_exec and isinstance(count, int) and count > 1:
        visible = os.environ.get(VISIBLE, ",".join(map(str, range(count)))).split(",")
        if visible[0].strip() not in HIDDEN:
            os.environ[GPUS] = ",".join(visible[:count])


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


def require_past(workflow: Any) -> None:
    """End a call one of whose jobs reads a file with a time to come, as after a clock was wrong.

    Snakemake would remove what such a job has made, as older than what it was made of.

    Raises:
        WorkflowError: names the files and the mend.
    """
    jobs = list(workflow.dag.needrun_jobs())
    made = {str(file) for job in jobs for file in job.output}
    read = {str(file) for job in jobs for file in job.input} - made
    ahead = sorted(file for file in read if _is_ahead(file))
    if ahead:
        raise WorkflowError(
            f"{len(ahead)} files that jobs read are of a time to come, so that all made of them "
            f"would count as older and be removed: {', '.join(ahead[:AHEAD_NAMED])}. Set the "
            "clock, if it is wrong; else give the files one present time; those of the results by "
            "find results -type f -newermt now -exec touch -d now {} +"
        )


def _is_ahead(file: str) -> bool:
    try:
        return os.stat(file).st_mtime > time.time() + AHEAD
    except OSError:  # who reads it says so
        return False
