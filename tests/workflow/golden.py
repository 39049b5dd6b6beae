"""What the small world's results are, byte for byte, on processors that were seen before.

    python -m tests.workflow.golden FOLDER

writes those of a computed small world for this kind of processor, and the FORMAT that they have.
Provenance names the code, and so changes with every edit; it is left out.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import torch

from penumbra.store.artifacts import read_checkpoint, row_groups, write_checkpoint, write_parquet
from penumbra.store.closure import FORMAT

FILE = Path(__file__).with_name("golden.json")
KINDS = ("images", "models", "outputs", "fits", "scores", "parts", "embeddings", "selections")


def processor() -> str:
    """The kind of processor, by what decides the last digits of a network's numbers."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    kind = " ".join(told.get(key, "?") for key in ("vendor_id", "cpu family", "model"))
    return f"{kind} {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def digests(results: Path) -> dict[str, str]:
    """A digest of every artifact of KINDS below `results`, written anew without provenance."""
    found = {}
    for kind in KINDS:
        for file in sorted((results / kind).rglob("*")):
            if file.suffix in (".parquet", ".safetensors"):
                found[str(file.relative_to(results))] = _digest(file)
    return found


def _digest(file: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"copy{file.suffix}"
        if file.suffix == ".parquet":
            write_parquet(copy, row_groups(file), {})
        else:
            write_checkpoint(copy, read_checkpoint(file), {})
        return hashlib.sha256(copy.read_bytes()).hexdigest()[:16]


def read() -> dict:
    """FORMAT, the release that other processors compute anew, and digests by processor."""
    return json.loads(FILE.read_text())


def main(folder: Path) -> None:
    golden = read()
    if golden["format"] != FORMAT:
        golden = {**golden, "format": FORMAT, "processors": {}}
    golden["processors"][processor()] = digests(folder)
    FILE.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
