"""The scheduler's looks: one is pending at most, and none is lost."""

import threading
import time
from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobScheduler

from penumbra.planning import wakeups


def test_many_requests_are_one_look():
    looks = threading.Semaphore(0)
    pending = wakeups.OnePending(looks.release)
    for _ in range(100):
        pending(0.05)
    assert looks.acquire(timeout=10)
    time.sleep(0.2)
    assert not looks.acquire(blocking=False)


def test_a_look_may_ask_for_the_next_one():
    """As the scheduler does at once, while the timer that woke it still ends."""
    looks = threading.Semaphore(0)
    pending = wakeups.OnePending(looks.release)
    pending(0)
    for _ in range(200):
        assert looks.acquire(timeout=10)
        pending(0)


def test_it_takes_the_place_of_snakemakes_own():
    """The name, and its misspelling, are Snakemake's."""
    assert callable(JobScheduler._schedule_reevalutation)
    semaphore = threading.Semaphore(0)
    scheduler = SimpleNamespace(_schedule_reevalutation=print, _open_jobs=semaphore)
    wakeups.settle(SimpleNamespace(scheduler=scheduler))
    scheduler._schedule_reevalutation(0)
    assert semaphore.acquire(timeout=10)
