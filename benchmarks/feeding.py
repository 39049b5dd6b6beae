"""Training images streamed from JPEGs: images a second against decoding alone and a DataLoader.

All in one run, in turns, with as many threads or processes as there are cores. Photographs of
500×400 pixels are made here. Peak memory is that of processes of their own, which stream 2,000 and
20,000 names of the same files.
"""

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from skimage import data as pictures
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from penumbra.images import crops  # noqa: E402
from penumbra.images.entries import Address, Entries, Entry  # noqa: E402
from penumbra.images.originals import Originals, to_tables  # noqa: E402
from penumbra.machine import cores  # noqa: E402
from penumbra.training.streaming import Streaming  # noqa: E402

FILES, BATCH, SIZE, SCALE, ROUNDS = 1000, 100, 224, (0.08, 1.0), 5
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
NAMES = 2_000, 20_000


def write(folder: Path, count: int = FILES) -> list[Path]:
    """So many different windows of photographs, as JPEG."""
    photographs = (pictures.astronaut, pictures.coffee, pictures.chelsea, pictures.rocket)
    large = [Image.fromarray(photograph()).resize((750, 600)) for photograph in photographs]
    draws = np.random.default_rng(0)
    files = [folder / f"{i}.jpg" for i in range(count)]
    for i, file in enumerate(files):
        left, top = draws.integers(0, 250), draws.integers(0, 200)
        large[i % 4].crop((left, top, left + 500, top + 400)).save(file, quality=90)
    return files


def listed(files: list[Path], size: int = SIZE) -> Originals:
    """The files as a listed image set."""
    rows = [Entry(file.name, 0, list, i, Address(file)) for i, file in enumerate(files)]
    return Originals(
        pa.concat_tables(to_tables(Entries(rows, ["a"]), "jpeg", "crop", size, 500, cores()))
    )


def bare(draws: np.ndarray, file: Path) -> np.ndarray:
    """What no feeder can leave out: read, decode, crop, resize, flip."""
    drawn = crops.Drawn.of(draws)
    with Image.open(file) as image:
        whole = image.convert("RGB")
    cropped = crops.resized(whole, crops.box(whole.size, SCALE, drawn), SIZE)
    return np.array(crops.mirrored(cropped) if drawn.flip < 0.5 else cropped)


def decoded(draws: np.ndarray, file: Path) -> int:
    """The same in a process of its own, which keeps the pixels."""
    return bare(draws, file).nbytes


class Raw(Streaming):
    """A feeder as its host sees it where a GPU fetches its uint8 batches and normalises them."""

    def normalised(self, patches: Tensor) -> Tensor:
        return patches


def feeder(kind: type[Streaming], images: Originals) -> Streaming:
    """Of the cores' number of threads."""
    return kind(
        images, IMAGENET, True, 0, True, torch.device("cpu"), ThreadPoolExecutor(cores()), SCALE
    )


def stream(serving: Streaming) -> None:
    """One epoch in a random order."""
    order = torch.randperm(len(serving), generator=torch.Generator().manual_seed(0))
    for _ in serving.served(
        (rows, torch.Generator().manual_seed(i)) for i, rows in enumerate(order.split(BATCH))
    ):
        pass


class Files(torch.utils.data.Dataset):
    """The files under torchvision's transforms."""

    def __init__(self, files: list[Path], transform: Callable[[Image.Image], Tensor]):
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        with Image.open(self.files[i]) as image:
            return self.transform(image.convert("RGB")), 0


def loader(files: list[Path]) -> Callable[[], None]:
    """One epoch of a DataLoader with as many processes."""
    from torchvision import transforms

    steps = [transforms.RandomResizedCrop(SIZE, SCALE), transforms.RandomHorizontalFlip()]
    steps += [transforms.ToTensor(), transforms.Normalize(**IMAGENET)]
    made = torch.utils.data.DataLoader(
        Files(files, transforms.Compose(steps)), BATCH, shuffle=True, num_workers=cores()
    )

    def epoch() -> None:
        for _ in made:
            pass

    return epoch


def rates(files: list[Path]) -> Iterator[tuple[str, float, float]]:
    """Each way, images a second, CPU ms an image of this process: medians of rounds in turns."""
    images = listed(files)
    draws = np.random.default_rng(0).random((FILES, crops.DRAWS))
    feeders = [feeder(kind, images) for kind in (Raw, Streaming)]
    threads, processes = ThreadPoolExecutor(cores()), ProcessPoolExecutor(cores())
    ways: dict[str, Callable[[], object]] = {
        "decoding alone, threads": lambda: list(threads.map(decoded, draws, files)),
        "decoding alone, processes": lambda: list(
            processes.map(decoded, draws, files, chunksize=10)
        ),
        "feeder, uint8 as a GPU is given them": functools.partial(stream, feeders[0]),
        "feeder, normalised on the CPU": functools.partial(stream, feeders[1]),
        "DataLoader, normalised on the CPU": loader(files),
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            way()
            busy, seconds = time.process_time() - busy, time.perf_counter() - start
            if round_:  # the first one warms up
                took[name].append((FILES / seconds, 1000 * busy / FILES))
    for serving in feeders:
        serving.close()
    for name, found in took.items():
        yield name, *map(statistics.median, zip(*found, strict=True))


def peak(files: list[Path], count: int, folder: Path) -> float:
    """MiB at most of a process that streams `count` names of the files."""
    inside = folder / str(count)
    inside.mkdir()
    for i in range(count):
        os.link(files[i % FILES], inside / f"{i}.jpg")
    command = [sys.executable, __file__, "--stream", str(inside)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(said) / 1024


def high_water() -> int:
    """KiB that this process held at most; ru_maxrss would count those of who started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", type=Path, help="stream the files of a folder, and end")
    folder = parser.parse_args().stream
    torch.set_num_threads(1)
    if folder:
        serving = feeder(Raw, listed(sorted(folder.iterdir())))
        stream(serving)
        serving.close()
        print(high_water())
        return
    with tempfile.TemporaryDirectory() as made:
        files = write(Path(made))
        found = list(rates(files))
        alone = found[0][1]
        print(f"{cores()} cores; medians of {ROUNDS}: images/s, share, CPU ms of this process")
        for name, rate, busy in found:
            print(f"| {name} | {rate:.0f} | {rate / alone:.2f} | {busy:.2f} |")
        for count in NAMES:
            print(
                f"| peak memory over {count:,} images, MiB | {peak(files, count, Path(made)):.0f} |"
            )


if __name__ == "__main__":
    main()
