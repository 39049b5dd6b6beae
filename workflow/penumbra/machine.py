"""What there is to compute with here."""

import os


def cores() -> int:
    """The processor cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # of Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
