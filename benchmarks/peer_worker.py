"""A process that does named steps when its parent asks, and says what each cost.

Standard library alone: it runs under our interpreter and under the peer's.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SHORTEST = 0.3  # seconds that a step is repeated for, so that short ones are measured, too


def peak_memory() -> float:
    """MiB that this process has held at most. (ru_maxrss would count its parent's before exec.)"""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def timed(run: Callable[[], object]) -> dict[str, float]:
    """Wall and CPU seconds of one call, all threads counted, and the peak memory so far."""
    wall, cpu, calls = time.perf_counter(), time.process_time(), 0
    while not calls or time.perf_counter() - wall < SHORTEST:
        run()
        calls += 1
    took = (time.perf_counter() - wall) / calls
    return {"wall": took, "cpu": (time.process_time() - cpu) / calls, "peak": peak_memory()}


def serve(steps: Mapping[str, Callable[[], object]]) -> None:
    """Do the steps named on standard input, line by line, until it ends."""
    for line in sys.stdin:
        print(json.dumps(timed(steps[line.strip()])), flush=True)


class Worker:
    """The parent's end of such a process."""

    def __init__(self, interpreter: Path, script: Path, arguments: list[str], environment: dict):
        command = [str(interpreter), str(script), *arguments]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, step: str) -> dict[str, float]:
        """What the step cost; the other process waits meanwhile."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(step + "\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            raise RuntimeError(f"step {step} of {self.process.args} failed; its error is above")
        return json.loads(reply)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
