"""Snakemake's own cost: seconds until the whole DAG of a world is planned."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def plan(*arguments: str) -> tuple[float, int]:
    """Seconds of a dry run, and its number of jobs."""
    command = [sys.executable, "-m", "snakemake", "all_tables", "all_figures", "-n", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    took = time.perf_counter() - start
    total = next(line for line in done.stdout.splitlines() if line.startswith("total"))
    return took, int(total.split()[1])


def stand_in(folder: Path) -> None:
    """Files where the data sets of the cifar world would lie; planning reads names alone."""
    ood = ("svhn", "textures", "lsun-crop", "lsun-resize", "isun", "places365")
    train = ("cifar10/train", "cifar100/train")
    for name in (*train, *(f"{s}/test" for s in ("cifar10", "cifar100", *ood))):
        file = folder / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, seconds, target."""
    rows = []
    took, jobs = plan("--config", "world=planned-only")  # nothing of it is there: all is planned
    rows.append((f"DAG of the embedded world, {jobs} jobs, seconds", took, "≤ 5"))
    with tempfile.TemporaryDirectory() as folder:
        stand_in(Path(folder))
        cifar = ("--configfile", "config/cifar.yaml", "--config", f"data_root={folder}")
        took, jobs = plan(*cifar)
    rows.append((f"DAG of the cifar world, {jobs} jobs, seconds", took, "≤ 15"))
    return rows
