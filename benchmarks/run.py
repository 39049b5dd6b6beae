"""All ratios on the CPU, each taken side by side in one run; writes benchmarks/results/cpu.md."""

import datetime
import os
import platform
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks: benchmarks/gpu.py is the GPU's

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks import decoding, files, guidance, planning, score, scoring, starting, training  # noqa: E402
from benchmarks.gpu_units import Row  # noqa: E402

PARTS = (training, scoring, score, starting, planning, files, guidance, decoding)


def device_name() -> str:
    """The processor, and how many cores of it there are."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    """Measure, print, write."""
    torch.set_num_threads(1)
    lines = [
        "# Benchmarks on the CPU",
        "",
        f"{datetime.date.today()}: device {device_name()}, Linux {platform.release()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, 1 thread.",
        "",
        "| what | measured | target | met |",
        "|---|---:|---:|---|",
    ]
    for part in PARTS:
        for what, value, target in part.measure():
            met = {None: "", True: "yes", False: "no"}[Row(what, value, "", None, target).met]
            lines.append(f"| {what} | {value:.3f} | {target} | {met} |")
            print(lines[-1], flush=True)
    (ROOT / "benchmarks/results/cpu.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
