"""What a call does when it is told to end while jobs run.

SIGINT (Ctrl-C) ends the jobs of a local call as SIGTERM would: trainings save their state first. A
second one kills them. SIGTERM lets them finish, which is Snakemake's way, and says which they are.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from typing import Any

import psutil


def attend(workflow: Any, spared: Collection[int]) -> None:
    """Answer SIGINT and SIGTERM from now on; `spared` are processes that end by themselves.

    Jobs on a cluster are Snakemake's executor's to cancel.
    """
    wait_for_jobs: Any = signal.getsignal(signal.SIGTERM)

    def on_terminate(number: int, frame: Any) -> None:
        wait_for_jobs(number, frame)
        say_who_is_waited_for(workflow, "SIGTERM")

    signal.signal(signal.SIGTERM, on_terminate)
    if workflow.local_exec:
        signal.signal(signal.SIGINT, _Interruption(spared))


def say_who_is_waited_for(workflow: Any, why: str, failed: Collection[int] = ()) -> None:
    """Name the jobs that still run, and how to end them at once."""
    running = [job for job in tuple(workflow.scheduler.running) if job.jobid not in failed]
    if running:
        names = "; ".join(sorted(map(_named, running)))
        print(
            f"{why}: no more jobs start, and this call waits for {len(running)}: {names}. To end "
            f"them at once: Ctrl-C, or kill -INT {os.getpid()}",
            file=sys.stderr,
            flush=True,
        )


def _named(job: Any) -> str:
    if job.is_group():
        return ", ".join(sorted(map(_named, job)))
    return " ".join([job.rule.name, *map(str, job.wildcards)])


class _Interruption:
    """Ends the jobs, first gently, and then the wait of Snakemake's scheduler for more."""

    def __init__(self, spared: Collection[int]):
        self._spared, self._is_told = spared, False

    def __call__(self, number: int, frame: Any) -> None:
        if self._is_told:
            for process in self._jobs():
                _send(process, signal.SIGKILL)
            return
        self._is_told = True
        print(
            "interrupted: the jobs are ended, trainings save their state; interrupt again to kill "
            "them",
            file=sys.stderr,
            flush=True,
        )
        threading.Thread(target=self._end_jobs, daemon=True).start()
        raise KeyboardInterrupt

    def _end_jobs(self) -> None:
        """SIGTERM, once each; a job that was just about to start is met, too."""
        told: set[psutil.Process] = set()
        while True:
            for process in self._jobs():
                if process not in told:
                    told.add(process)
                    _send(process, signal.SIGTERM)
            time.sleep(0.2)

    def _jobs(self) -> list[psutil.Process]:
        """All that descends from this process, but for what is spared and what descends from it."""
        children = psutil.Process().children()
        jobs = [child for child in children if child.pid not in self._spared]
        return jobs + [below for job in jobs for below in _below(job)]


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):  # it has just ended
        process.send_signal(number)
