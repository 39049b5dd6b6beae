"""How long scoring takes."""

import statistics
import time
from collections.abc import Callable

REPEATS = 7


def seconds_per_image(score: Callable[[], object], images: int) -> float:
    """The median of repeated passes over so many images, after one that allocates."""

    def once() -> float:
        start = time.perf_counter()
        score()
        return (time.perf_counter() - start) / images

    once()
    return statistics.median(once() for _ in range(REPEATS))
