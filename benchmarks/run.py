"""Measure every benchmark and write benchmarks/results/<device>.md."""

import datetime
import os
import platform
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks import decoding, guidance, planning, scoring, training  # noqa: E402


def device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    torch.set_num_threads(1 if not torch.cuda.is_available() else 4)
    rows = [
        row for part in (training, scoring, planning, guidance, decoding) for row in part.measure()
    ]
    lines = [
        f"{datetime.date.today()}, {device_name()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)",
        "",
        "| what | measured | target |",
        "|---|---:|---:|",
        *(f"| {what} | {value:.3f} | {target} |" for what, value, target in rows),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    kind = "gpu" if torch.cuda.is_available() else "cpu"
    out = ROOT / "benchmarks" / "results" / f"{kind}.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text("# Benchmarks\n\n" + text)


if __name__ == "__main__":
    main()
