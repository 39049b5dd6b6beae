"""Many images scored in little memory: threads decode ahead while the network computes."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from penumbra.detector.detector import Detector
from penumbra.detector.groups import groups_of
from penumbra.detector.sources import Source
from penumbra.images.decode import reason

RUN = 16  # images that a thread decodes in one go: handing it one takes as long as a small image


@dataclass(frozen=True)
class Rows:
    """Some images in order: names, errors (empty where an image is sound), and what was judged.

    `score`, `p_id` and `accept` (n,) are of the sound images alone.
    """

    names: list[str]
    errors: list[str]
    score: np.ndarray
    p_id: np.ndarray
    accept: np.ndarray


Decoded = list[tuple[str, np.ndarray | None, str]]  # name, pixels, what is wrong


def judged(detector: Detector, sources: Iterable[Source], threads: int) -> Iterator[Rows]:
    """Images in order, batch by batch; one that cannot be read has an error and ends nothing.

    Besides the batch in work about two more are decoded ahead.
    """
    size, batch = detector.description.size, detector.batch_size
    pixels = np.empty((batch, 3, size, size), np.uint8)
    for group in groups_of(_decoded(detector, sources, threads), batch):
        count = 0
        for _, image, _ in group:
            if image is not None:
                pixels[count] = image
                count += 1
        scores = detector.scores(pixels[:count]) if count else np.empty(0)
        names, errors = [name for name, _, _ in group], [error for _, _, error in group]
        yield Rows(names, errors, **detector.judged(scores))


def _decoded(
    detector: Detector, sources: Iterable[Source], threads: int
) -> Iterator[tuple[str, np.ndarray | None, str]]:
    """Images in the order of their sources, from threads that are a few runs ahead."""
    way, size = detector.description.square, detector.description.size
    most = max(2 * threads, 2 * detector.batch_size // RUN)
    pending: deque[Future[Decoded]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for run in groups_of(sources, RUN):
                pending.append(pool.submit(_run, run, way, size))
                if len(pending) > most:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run(sources: tuple[Source, ...], way: str, size: int) -> Decoded:
    rows: Decoded = []
    for source in sources:
        try:
            rows.append((source.name, source.pixels(way, size), ""))
        except Exception as error:  # decoders raise anything where bytes are damaged
            rows.append((source.name, None, reason(error)))
    return rows
