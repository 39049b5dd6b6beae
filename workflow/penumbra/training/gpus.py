"""One GPU of a machine for each job of a local call.

Snakemake counts GPUs (`--resources gpu=4`) and tells no job which is its own.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

GPUS = "PENUMBRA_GPUS"  # in the environment of jobs: the GPUs among which each takes one
VISIBLE = "CUDA_VISIBLE_DEVICES"
WAIT = 0.2  # seconds between two looks for a free one

_held: list[TextIO] = []  # locks of this process, which end with it


def take_one() -> None:
    """Let this process see one GPU that no other job holds, where the call shares out several.

    Called before CUDA is asked for the first time. A job that is killed leaves its GPU free.
    """
    shared = os.environ.get(GPUS)
    if shared and not _held:
        os.environ[VISIBLE] = _take(shared.split(","))


def _take(gpus: Sequence[str]) -> str:
    folder = Path(tempfile.gettempdir())
    while True:
        for gpu in gpus:
            lock = (folder / f"penumbra-gpu-{os.getuid()}-{gpu}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                _held.append(lock)
                return gpu
        time.sleep(WAIT)
