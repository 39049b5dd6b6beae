"""A stage called as its rule calls it: a process, given a spec and files by name."""

import json
import subprocess
import sys

from penumbra.store.closure import code_of
from tests.conftest import ROOT


def call(folder, rule, roots, wildcards, config, inputs, outputs, **changes):
    """`inputs` are lists of files by name, `outputs` files; `changes` are made to the spec."""
    code = code_of([f"penumbra.stages.{rule}", *roots])["digest"]
    spec = {"rule": rule, "roots": roots, "wildcards": wildcards, "config": config, "code": code}
    given = [f"{name}={file}" for name, files in inputs.items() for file in files]
    made = [f"{name}={file}" for name, file in outputs.items()]
    return subprocess.run(
        [sys.executable, "-m", f"penumbra.stages.{rule}", "--in", *given, "--out", *made],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"},
        input=json.dumps(spec | changes),
        capture_output=True,
        text=True,
    )
