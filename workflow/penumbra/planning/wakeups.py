"""Keeps Snakemake's scheduler from waking up ever more often.

Snakemake 9 limits the rate of jobs, and so looks again after a second whenever it has looked; what
a finished job makes it look at adds to that, so that a thousand jobs wake it a thousand times a
second. One pending look serves all.
"""

import threading
from typing import Any


class OnePending:
    """Calls `wake` after a delay, unless a call is pending already."""

    def __init__(self, wake: Any):
        self.wake = wake
        self.timer: threading.Timer | None = None

    def __call__(self, delay: float) -> None:
        """Look after `delay` seconds, or when the pending look is due."""
        if self.timer is None:
            self.timer = threading.Timer(delay, self._due)
            self.timer.daemon = True  # the end of the call waits for no timer
            self.timer.start()

    def _due(self) -> None:
        self.timer = None  # before the scheduler looks: it may ask for the next look
        self.wake()


def settle(workflow: Any) -> None:
    """Let the scheduler of a call that is about to start have one pending look at most."""
    scheduler = workflow.scheduler
    assert callable(scheduler._schedule_reevalutation), "Snakemake's scheduler has changed"
    scheduler._schedule_reevalutation = OnePending(scheduler._open_jobs.release)
