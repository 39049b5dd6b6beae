"""Memory of fits on arrays: the stage itself, on features as wide as those of large networks."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.worlds import ROOT
from penumbra.planning import needs
from penumbra.store.artifacts import write_arrays, write_parquet
from penumbra.store.closure import code_of
from penumbra.store.columns import column, vectors

WIDTH, CLASSES, PART = 2_048, 100, 10_000
SCORERS = ("knn", "mahalanobis", "vim")
MADE = {"rule": "made up"}


def outputs(count: int) -> Iterator[pa.Table]:
    """Outputs of `count` training images in row groups, as the stage `outputs` writes them."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1, (CLASSES, WIDTH)).astype(np.float32)
    for start in range(0, count, PART):
        n = min(PART, count - start)
        labels = np.arange(start, start + n) % CLASSES
        features = means[labels] + rng.standard_normal((n, WIDTH), np.float32)
        yield pa.table(
            {
                "image_set": column(["made-up"] * n),
                "role": column(["train"] * n),
                "index": column(np.arange(start, start + n, dtype=np.int32)),
                "label": column(labels),
                "logits": vectors(features[:, :CLASSES] + 5),
                "features": vectors(features),
            }
        )


def measure(count: int, scorers: tuple[str, ...] = SCORERS) -> dict[str, dict[str, float]]:
    """Scorer -> what the stage `fits` records on `count` images: seconds, peak_memory_mib."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parquet(folder / "outputs.parquet", outputs(count), MADE)
        head = {"model.fc.weight": np.eye(CLASSES, WIDTH, dtype=np.float32)}
        head["model.fc.bias"] = np.zeros(CLASSES, np.float32)
        write_arrays(folder / "head.safetensors", head, MADE)
        return {scorer: _run(folder, scorer) for scorer in scorers}


def _run(folder: Path, module: str) -> dict[str, float]:
    roots = [f"penumbra.scores.{module}"]
    config = {"module": module, "options": {}, "role": "train", "images": None, "second": {}}
    config["needs"] = needs.fit_needs({"module": module})
    spec = {"rule": "fits", "wildcards": _wildcards(module), "config": config, "roots": roots}
    spec["code"] = code_of(["penumbra.stages.fits", *roots])["digest"]
    fitted = folder / f"{module}.safetensors"
    arguments = ["--in", f"outputs={folder / 'outputs.parquet'}"]
    arguments += [f"head={folder / 'head.safetensors'}"] if "head" in config["needs"] else []
    # Behind a shell that stays, as Linux counts a parent's memory to a process that it becomes.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "penumbra.stages.fits"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command += [*arguments, "--out", f"fitted={fitted}"]
    subprocess.run(command, env=environment, check=True, input=json.dumps(spec), text=True)
    return json.loads(fitted.with_name(fitted.name + ".run.json").read_text())


def _wildcards(scorer: str) -> dict[str, str]:
    return {"benchmark": "b", "backbone": "n", "recipe": "r", "seed": "0", "scorer": scorer}
