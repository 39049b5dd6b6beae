"""`penumbra score` of 10,000 image files, against the bare loop of decoding and the network.

By hand, `python -m benchmarks.score FILE` takes the encoded images of a Parquet file; else windows
of a photograph that scikit-image ships are written. The bare loop decodes and computes in turns on
one thread; the command has one thread that decodes and one that computes, and besides reads the
detector, checks every file, calibrates and writes CSV. Both take turns in one process; imports are
left out.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.training import HALF
from penumbra.commands import score
from penumbra.detector.file import HELDOUT, Description, write
from penumbra.networks.backbones import resnet

COUNT, SIDE, BATCH, PAIRS = 10_000, 32, 256, 3
TARGET = "≥ 0.90"
NETWORK = {"network": "resnet", "layers": 18, "width": 16, "stem": "cifar"}


def detector_file(folder: Path) -> tuple[Path, torch.nn.Module]:
    """A detector of random weights, whose speed is that of any, and its network."""
    torch.manual_seed(0)
    network = resnet.build(10, **{k: v for k, v in NETWORK.items() if k != "network"}).eval()
    scorer = {"name": "energy", "module": "energy", "options": {}, "needs": ["logits"]}
    description = Description(
        backbone=NETWORK, normalisation=HALF, size=SIDE, square="squash", classes=[],
        precision="float32", channels_last=False, batch_size=BATCH,
        scorer={**scorer, "block": "", "instead_of": "", "fitted": ""},
        calibration=None, uncalibrated="a benchmark", names={}, tpr=0.95,
    )  # fmt: skip
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    file = folder / "detector.safetensors"
    write(file, description, {**tensors, HELDOUT: torch.zeros(2).double()}, {})
    return file, network


def windows(suffix: str) -> list[bytes]:
    """Encoded windows of a photograph."""
    import skimage

    picture = Image.open(Path(skimage.__file__).parent / "data/astronaut.png").convert("RGB")
    rng = np.random.default_rng(0)
    encoded = []
    for x, y in rng.integers(0, picture.width - SIDE, (COUNT, 2)).tolist():
        stream = io.BytesIO()
        picture.crop((x, y, x + SIDE, y + SIDE)).save(stream, suffix)
        encoded.append(stream.getvalue())
    return encoded


def stored(file: Path, suffix: str) -> list[bytes]:
    """The first images of a Parquet file, in a format."""
    from penumbra.detector.sources import sources
    from penumbra.images.prepared import WAYS

    encoded = []
    for source, _ in zip(sources([str(file)]), range(COUNT), strict=False):
        stream = io.BytesIO()
        Image.fromarray(source.pixels(WAYS[0], SIDE).transpose(1, 2, 0)).save(stream, suffix)
        encoded.append(stream.getvalue())
    return encoded


@torch.inference_mode()
def bare(network: torch.nn.Module, files: list[Path], threads: int) -> float:
    """Seconds to decode all files and run the network on them."""

    def decode(file: Path) -> np.ndarray:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        each = map if threads == 1 else pool.map  # with one thread a pool is nothing but a burden
        for at in range(0, len(files), BATCH):
            batch = np.stack(list(each(decode, files[at : at + BATCH])))
            x = torch.from_numpy(batch).permute(0, 3, 1, 2).float()
            network(((x / 255 - 0.5) / 0.5).contiguous()).logsumexp(1)
    return time.perf_counter() - start


def command(detector: Path, folder: Path, out: Path, threads: int) -> float:
    """Seconds of `penumbra score` on the same."""
    parser = argparse.ArgumentParser()
    score.add(parser)
    given = [str(detector), str(folder), "--out", str(out), "--threads", str(threads)]
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        score.run(parser.parse_args([*given, "--device", "cpu"]))
    return time.perf_counter() - start


def ratio(encoded: list[bytes], suffix: str, threads: int) -> float:
    """Images a second of the command over those of the bare loop, median of pairs."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "images"
        folder.mkdir()
        files = [folder / f"{i:05}.{suffix}" for i in range(len(encoded))]
        for file, content in zip(files, encoded, strict=True):
            file.write_bytes(content)
        detector, network = detector_file(Path(made))
        out = Path(made) / "scores.csv"
        torch.set_num_threads(threads)
        command(detector, folder, out, threads)  # warms up
        pairs = [
            bare(network, files, threads) / command(detector, folder, out, threads)
            for _ in range(PAIRS)
        ]
    return statistics.median(pairs)


def measure(file: Path | None = None, threads: int = 1) -> list[tuple[str, float, str]]:
    """Rows: what, ratio, target."""
    rows = []
    for suffix in ("png", "jpeg"):
        encoded = stored(file, suffix) if file else windows(suffix)
        what = f"{len(encoded):,} {suffix.upper()} files, ResNet-18, width 16, {threads} thread"
        rows.append((f"penumbra score over bare loop, images/s ({what})",
                     ratio(encoded, suffix, threads), TARGET))  # fmt: skip
    return rows


if __name__ == "__main__":
    given = Path(sys.argv[1]) if sys.argv[1:] else None
    for what, value, target in measure(given, *map(int, sys.argv[2:])):
        print(f"{what}: {value:.3f} ({target})", flush=True)
