"""The start of a job that needs torch: forked from the call's process, or by itself."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from penumbra.calls import starter

STARTER = Path(__file__).resolve().parents[1] / "workflow/starter"
STAGE = "penumbra.stages.outputs"
PAIRS = 5


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, ratio of wall time, target; each job ends by asking for its arguments."""
    environment = os.environ | {"PYTHONPATH": str(STARTER.parent), "OMP_NUM_THREADS": "1"}
    folder = tempfile.mkdtemp()
    socket = os.path.join(folder, "socket")
    server = subprocess.Popen(
        [sys.executable, STARTER / "server.py", socket], stdin=subprocess.PIPE, env=environment
    )
    assert server.stdin is not None
    server.stdin.write(json.dumps(starter._imported()).encode() + b"\n")
    server.stdin.flush()
    while not os.path.exists(socket):
        time.sleep(0.01)
    client = [sys.executable, "-I", "-S", str(STARTER / "client.py"), socket]

    def seconds(command: list[str]) -> float:
        start = time.perf_counter()
        asked = [*command, "-m", STAGE, "--help"]
        subprocess.run(asked, env=environment, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    seconds(client)  # imports torch
    pairs = [(seconds(client), seconds([sys.executable])) for _ in range(PAIRS)]
    server.stdin.close()
    server.wait()
    ratio = statistics.median(forked / alone for forked, alone in pairs)
    return [("a forked job's start over one by itself, time", ratio, "≤ 0.1")]
