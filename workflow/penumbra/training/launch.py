"""One stage as several processes of this machine, started and watched by torch's launcher."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

import torch

from penumbra.errors import PenumbraError


def started() -> int:
    """How many processes a launcher started along with this one; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launch(module: str, arguments: Sequence[str], processes: int, device: torch.device) -> None:
    """Run `python -m module` with these arguments once a process, and wait.

    A signal is handed on, and a process that fails ends the others.

    Raises:
        PenumbraError: there are fewer GPUs than processes, or a process was ended by a signal, so
            it could not say why.
        SystemExit: a process failed, and has said why; or all were told to end.
    """
    if device.type == "cuda" and torch.cuda.device_count() < processes:
        raise PenumbraError(
            f"compute.processes is {processes}, but {torch.cuda.device_count()} GPUs are visible; "
            "ask Slurm for as many"
        )
    # Not above: a single process does without it.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.ERROR)  # the launcher's own view of what the processes say themselves
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each stage sets its own; this spares a warning
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(os.getpid()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port
        local_addr="localhost",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-u", "-m", module, *arguments)
    except SignalException:
        sys.exit(1)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            sys.exit(1)
        name = signal.Signals(-failure.exitcode).name
        raise PenumbraError(
            f"process {rank} of {processes} was ended by {name}; SIGKILL is often the system's "
            "answer to too much memory: ask for more, or for fewer GPUs a training"
        ) from error
