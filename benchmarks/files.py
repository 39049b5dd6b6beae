"""What outliers and large inputs cost beside networks: packing, unpacking, hashing, listing.

Each is taken in turns with what it stands beside, in one process. `python benchmarks/files.py`
takes these alone.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from penumbra.images.layout import Location, listing
from penumbra.images.originals import THREADS
from penumbra.outliers import store
from penumbra.store import checked, seals
from penumbra.store.artifacts import write_arrays

ROUNDS = 5
IMAGES, SIDE = 48, 256
CLASSES, EACH, ASKED = 500, 40, 10  # folders, images in one, folders that are asked for
NUMBERS = 2**26  # of 4 bytes: an artifact of 268 MB
TWO = 2  # threads


def ratio(first: Callable[[], object], second: Callable[[], object]) -> float:
    """Median over rounds of the time of `first` over that of `second`, taken in turns."""
    times = [[_seconds(each) for each in (first, second)] for _ in range(ROUNDS)]
    return statistics.median(one / other for one, other in times)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def pixels() -> np.ndarray:
    """Images (N, 3, S, S) with as much detail as photographs have: smooth, under slight noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (IMAGES, 3, 4, 4)).astype(np.float32)
    smooth = np.kron(coarse, np.ones((1, 1, SIDE // 4, SIDE // 4), np.float32))
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads, as a rule's processes are told."""
    before = os.environ.get(THREADS, "1")
    os.environ[THREADS] = str(count)
    yield
    os.environ[THREADS] = before


def _with(count: int, call: Callable[[], object]) -> None:
    with threads(count):
        call()


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, ratio, target."""
    images = pixels()
    pack = partial(store.threaded, store.to_png, images)
    files = [store.to_png(image) for image in images]
    unpack = partial(store.decoded, files, 224)
    what = f"{SIDE}×{SIDE}, {TWO} threads over 1"
    rows = [
        (f"packing PNG files, time ({what})", _threads(pack), "≤ 0.65"),
        (f"unpacking PNG files, time ({what})", _threads(unpack), "≤ 0.65"),
        (f"packing one PNG file, ms ({SIDE}×{SIDE})", _each(pack), "reported"),
        (f"unpacking one PNG file to 224×224, ms ({SIDE}×{SIDE})", _each(unpack), "reported"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        return [*rows, *_hashing(Path(folder)), *_listing(Path(folder))]


def _threads(call: Callable[[], object]) -> float:
    return ratio(partial(_with, TWO, call), partial(_with, 1, call))


def _each(call: Callable[[], object]) -> float:
    return 1000 / IMAGES * statistics.median(_seconds(call) for _ in range(ROUNDS))


def _hashing(folder: Path) -> list[tuple[str, float, str]]:
    """A job's check of an input that another job has read before, over one that none has."""
    file = folder / "results/w/model.safetensors"
    write_arrays(file, {"w": np.zeros(NUMBERS, np.float32)}, {})
    time.sleep(checked.SETTLED / 1e9 + 1)
    checked.digest(file)
    again = ratio(partial(checked.digest, file), partial(seals.check, file))
    return [("checking an input again over hashing it, time (268 MB)", again, "≤ 0.01")]


def _listing(folder: Path) -> list[tuple[str, float, str]]:
    """A look at the folders of a few classes over one at all of them."""
    names = [f"n{number:08}" for number in range(CLASSES)]
    for name in names:
        (folder / "train" / name).mkdir(parents=True)
        for number in range(EACH):
            (folder / "train" / name / f"{number}.png").touch()
    place = Location("folder", folder / "train")
    few = ratio(partial(listing, place, names[:ASKED]), partial(listing, place))
    what = f"{ASKED} of {CLASSES} class folders of {EACH} images"
    return [(f"listing what is asked for over all, time ({what})", few, "≤ 0.2")]


if __name__ == "__main__":
    for what, value, target in measure():
        print(f"{what}: {value:.4f} ({target})")
