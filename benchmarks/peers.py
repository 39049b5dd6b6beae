"""Scoring against pytorch-ood on the same network and images: writes benchmarks/results/peers.md.

The peer lives in an environment of its own (`make benchmark-peers` makes it). Both sides run as
processes that take turns, step by step. What they score is compared first: a ratio of times says
something only where both compute the same. `--large` adds KNN at ImageNet's size, for minutes.
"""

import argparse
import datetime
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks.peer_ours import METHODS, TESTS  # noqa: E402
from benchmarks.peer_worker import Worker  # noqa: E402
from benchmarks.run import device_name  # noqa: E402
from penumbra.networks.backbones import resnet  # noqa: E402

IMAGES, CLASSES, WIDTH, STEPS, THREADS = 5_000, 10, 16, 40, 2
LARGE, LARGE_WIDTH = 50_000, 2_048
SHARED = ("forward", "whole", *METHODS, "metrics")
THEIRS_ALONE = ("evaluator", "readme")

Costs = dict[tuple[str, str], list[dict[str, float]]]  # (side, step) -> one a repetition


def blobs(rng: np.random.Generator, prototypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (N, 3, 32, 32), noise around a class's coarse pattern, and labels (N,)."""
    labels = rng.integers(0, CLASSES, IMAGES)
    coarse = prototypes[labels] + rng.normal(0, 60, (IMAGES, 3, 8, 8))
    fine = coarse.repeat(4, 2).repeat(4, 3) + rng.normal(0, 20, (IMAGES, 3, 32, 32))
    return fine.clip(0, 255).astype(np.uint8), labels


def trained(pixels: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Weights after a few steps, so that features differ between classes."""
    torch.manual_seed(0)
    model = resnet.build(CLASSES, 18, WIDTH, "cifar")
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for step in range(STEPS):
        part = slice(100 * step % IMAGES, 100 * step % IMAGES + 100)
        x = (torch.from_numpy(pixels[part]).float() / 255 - 0.5) / 0.5
        loss = F.cross_entropy(model(x), torch.from_numpy(labels[part]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def write_inputs(folder: Path) -> None:
    """Images, labels and weights of both sides."""
    rng = np.random.default_rng(0)
    known, unknown = rng.uniform(40, 215, (2, CLASSES, 3, 8, 8))
    train, labels = blobs(rng, known)
    np.save(folder / "train.npy", train)
    test, test_labels = blobs(rng, known)
    np.save(folder / "id.npy", test)
    np.save(folder / "ood.npy", blobs(rng, (known + unknown) / 2)[0])
    np.savez(folder / "labels.npz", train=labels, id=test_labels)
    np.savez(folder / "weights.npz", **trained(train, labels))


def check_agreement(folder: Path) -> float:
    """The lowest rank correlation of any method's scores; the peer's sign is the opposite."""
    ours, theirs = np.load(folder / "ours.npz"), np.load(folder / "theirs.npz")
    lowest = 1.0
    for name in METHODS:
        a, b = (
            np.concatenate([side[f"{name}_{part}"] for part in TESTS]) for side in (ours, theirs)
        )
        found = spearmanr(a, -b).statistic
        if not found > 0.999:
            raise SystemExit(f"{name}: scores differ from pytorch-ood's, Spearman {found:.5f}")
        lowest = min(lowest, found)
    return lowest


def workers(peer: Path, folder: Path, *arguments: str) -> dict[str, Worker]:
    """Both sides, waiting for steps."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    # Threads that spin while they wait cost several times the work where the cores are shared.
    environment = os.environ | dict.fromkeys(names, str(THREADS)) | {"OMP_WAIT_POLICY": "PASSIVE"}
    here = Path(__file__).parent
    sides = {"ours": Path(sys.executable), "theirs": peer / "bin" / "python"}
    return {
        side: Worker(python, here / f"peer_{side}.py", [str(folder), *arguments], environment)
        for side, python in sides.items()
    }


def turns(sides: dict[str, Worker], repetitions: int) -> Costs:
    """Every step of both sides, in alternating order."""
    costs: Costs = {}
    for repetition in range(repetitions):
        order = list(sides) if repetition % 2 else list(reversed(sides))
        for step in SHARED:
            for side in order:
                costs.setdefault((side, step), []).append(sides[side].run(step))
        for step in THEIRS_ALONE:
            costs.setdefault(("theirs", step), []).append(sides["theirs"].run(step))
        print(f"round {repetition + 1} of {repetitions}", flush=True)
    return costs


def ratio(ours: list[dict], theirs: list[dict], key: str) -> float:
    """Median of the ratios of a round's pairs."""
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def row(what: str, ours: list[dict], theirs: list[dict], target: str = "reported") -> str:
    """Medians of both sides and of their ratios."""
    kinds = ("wall", "cpu")
    cells = [
        f"{statistics.median(c[key] for c in costs):.4g}"
        for costs in (ours, theirs)
        for key in kinds
    ]
    cells += [f"{ratio(ours, theirs, key):.3f}" for key in kinds]
    return f"| {what} | {' | '.join(cells)} | {target} |"


def rows(costs: Costs, first: dict[str, dict[str, float]]) -> list[str]:
    """The table of the shared inputs; `first` is what each side's very first whole cost."""

    def both(step: str) -> tuple[list[dict], list[dict]]:
        return costs["ours", step], costs["theirs", step]

    whole, forward = costs["ours", "whole"], costs["ours", "forward"]
    over, over_cpu = (ratio(whole, forward, key) for key in ("wall", "cpu"))
    return [
        row(f"forward of {3 * IMAGES:,} images, the floor", *both("forward")),
        row("whole: one extraction, all fits, scores, metrics", *both("whole"), "≤ 1.0"),
        f"| our whole over our forward | | | | | {over:.3f} | {over_cpu:.3f} | ≤ 1.15 |",
        row("whole; theirs with the evaluator's cache", whole, costs["theirs", "evaluator"]),
        row("whole; theirs as in its README", whole, costs["theirs", "readme"]),
        *(row(f"{name}: fit and score", *both(name), "≤ 1.0") for name in METHODS),
        row(f"metrics of {len(METHODS)} methods", *both("metrics"), "≤ 1.0"),
        memory("peak memory of the whole, MiB", first, "reported"),
    ]


def memory(what: str, found: dict[str, dict[str, float]], target: str) -> str:
    """Peak memory of both sides."""
    ours, theirs = (found[side]["peak"] for side in ("ours", "theirs"))
    return f"| {what} | {ours:,.0f} | | {theirs:,.0f} | | {ours / theirs:.3f} | | {target} |"


def large(peer: Path) -> list[str]:
    """KNN at ImageNet's size on random features, each side in a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        rng = np.random.default_rng(0)
        for part in ("train", "test"):
            features = rng.standard_normal((LARGE, LARGE_WIDTH), np.float32)
            np.save(Path(name) / f"features_{part}.npy", np.maximum(features, 0))
        found = {}
        for side, worker in workers(peer, Path(name), "large").items():
            found[side] = worker.run("large")
            worker.close()
    what = f"KNN, k = 50, of {LARGE:,} among {LARGE:,} × {LARGE_WIDTH:,} features"
    return [
        row(what, [found["ours"]], [found["theirs"]], "≤ 1.0"),
        memory("its peak memory, MiB", found, "ours ≤ 4,096"),
    ]


def measure(peer: Path, repetitions: int) -> tuple[list[str], float]:
    """Rows, and how well the scores agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        sides = workers(peer, folder)
        first = {side: worker.run("whole") for side, worker in sides.items()}
        for worker in sides.values():
            worker.run("dump")
        agreement = check_agreement(folder)
        print(f"lowest Spearman of the scores: {agreement:.6f}", flush=True)
        costs = turns(sides, repetitions)
        for worker in sides.values():
            worker.close()
    return rows(costs, first), agreement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    folder = os.environ.get("PENUMBRA_PEERS", ROOT / ".venv-peers")
    parser.add_argument("--peer", type=Path, default=folder, help="environment of pytorch-ood")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="add KNN at ImageNet's size (minutes)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/peers.md")
    arguments = parser.parse_args()
    if not (arguments.peer / "bin" / "python").is_file():
        parser.error(f"no environment in {arguments.peer}; make it: make benchmark-peers")
    torch.set_num_threads(THREADS)
    found, agreement = measure(arguments.peer, arguments.repetitions)
    if arguments.large:
        found += large(arguments.peer)
    lines = [
        "# Scoring against pytorch-ood 0.4.0",
        "",
        f"{datetime.date.today()}, {device_name()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, numpy {np.__version__}, {THREADS} threads, CPU",
        "",
        f"ResNet-18 of width {WIDTH} ({8 * WIDTH} features, {CLASSES} classes); {IMAGES:,} "
        f"training, ID and OOD images each, 32×32, batch 200. Medians of {arguments.repetitions} "
        "rounds in which both sides took turns; ratios are ours over theirs. "
        f"The scores agree: lowest Spearman correlation of a method {agreement:.5f}.",
        "",
        "| what | ours, s | CPU s | theirs, s | CPU s | ratio | of CPU | target |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *found,
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
