"""What one GPU reaches, unit by unit, beside its own floors, and checked against a CPU in float32.

    python benchmarks/gpu.py [--minutes 9] [--anew]

A call starts no unit that may not end within its minutes; the next call goes on, on the same device
and versions. A unit that fails is written down with its error and tried again by the next call. The
table is benchmarks/results/<gpu>.md, what was measured so far the .json beside it.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
import traceback
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks import gpu_units  # noqa: E402
from benchmarks.gpu_units import Row, Scale  # noqa: E402
from penumbra.training.determinism import determinism  # noqa: E402


def setting(device: torch.device) -> dict[str, str]:
    """Device, driver and versions: what makes two calls comparable."""
    name, driver = "CPU", "none"
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")[0]
    return {
        "device": name,
        "driver": driver,
        "torch": str(torch.__version__),
        "CUDA": str(torch.version.cuda),
        "cuDNN": str(torch.backends.cudnn.version()),
    }


class State:
    """What was measured so far, in a JSON file."""

    def __init__(self, file: Path, setting: dict[str, str], anew: bool):
        self.file, self.setting = file, setting
        self.units: dict[str, dict] = {}
        if file.is_file() and not anew:
            saved = json.loads(file.read_text())
            if saved["setting"] == setting:
                self.units = saved["units"]

    def save(self, unit: str, found: dict) -> None:
        self.units[unit] = found
        self.file.parent.mkdir(parents=True, exist_ok=True)
        text = {"setting": self.setting, "units": self.units}
        self.file.write_text(json.dumps(text, indent=1) + "\n")

    def done(self, unit: str) -> bool:
        return "rows" in self.units.get(unit, {})

    def rows(self) -> list[Row]:
        found = (self.units[unit].get("rows", []) for unit in gpu_units.UNITS if unit in self.units)
        return [Row(**row) for rows in found for row in rows]

    def table(self) -> str:
        """Markdown: the setting, all rows, what failed and what is left."""
        said = ", ".join(f"{key} {value}" for key, value in self.setting.items())
        lines = [f"# {self.setting['device']}", "", f"{datetime.date.today()}: {said}.", ""]
        lines += ["| what | measured | unit | floor | share of it | target | met |"]
        lines += ["|---|---:|---|---:|---:|---|---|"]
        lines += [row.line() for row in self.rows()]
        failed = {u: f["error"] for u, f in self.units.items() if "error" in f}
        lines += ["", *(f"Failed: {unit}: `{error}`" for unit, error in failed.items())]
        left = [unit for unit in gpu_units.UNITS if unit not in self.units]
        lines += [f"Not measured yet: {', '.join(left)}."] if left else []
        return "\n".join(lines).rstrip() + "\n"


def run(state: State, scale: Scale, minutes: float) -> int:
    """Units that are left, as many as the minutes allow; the exit code."""
    started = time.monotonic()
    for name, unit in gpu_units.UNITS.items():
        if state.done(name):
            continue
        if (time.monotonic() - started) / 60 + unit.minutes > minutes:
            print(f"{name} may take {unit.minutes} minutes: call again to go on", flush=True)
            break
        print(name, flush=True)
        try:
            rows = unit.measure(scale, {row.what: row.value for row in state.rows()})
            state.save(name, {"rows": [vars(row) for row in rows]})
        except Exception as error:  # one unit's end is no other's
            traceback.print_exc()
            state.save(name, {"error": f"{type(error).__name__}: {error}".splitlines()[0]})
        finally:
            torch.cuda.empty_cache()
    print(state.table())
    state.file.with_suffix(".md").write_text(state.table())
    wrong = [row.what for row in state.rows() if row.is_wrong]
    if wrong:
        print(f"not what a CPU computes: {', '.join(wrong)}")
    return int(bool(wrong) or any("error" in found for found in state.units.values()))


def main(argv: list[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="what this call may take")
    parser.add_argument("--anew", action="store_true", help="forget what was measured")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument(
        "--rehearse", action="store_true", help="every unit on the CPU, at a size that says nothing"
    )
    arguments = parser.parse_args(argv)
    if not arguments.rehearse and not torch.cuda.is_available():
        print("error: no GPU is visible; --rehearse runs every unit small, on the CPU")
        return 2
    device = torch.device("cpu" if arguments.rehearse else "cuda")
    determinism(4 if device.type == "cuda" else 1, compiled=device.type == "cuda")
    about = setting(device)
    file = arguments.out / f"{about['device'].lower().replace(' ', '-')}.json"
    state = State(file, about, arguments.anew)
    return run(state, Scale(device), arguments.minutes)


if __name__ == "__main__":
    sys.exit(main())
