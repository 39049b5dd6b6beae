"""The jobs of a call on a cluster compute what that call planned, with its code and config."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.home import PACKAGE
from penumbra.store.artifacts import dumps
from penumbra.store.closure import everything

PLAN = "PENUMBRA_PLAN"  # Slurm hands the environment of a call on to its jobs


def hand_on(base: Path, config: Mapping[str, Any], workflow: Any) -> None:
    """Let the jobs of a call on a cluster know which code and config they were planned with."""
    if not workflow.local_exec:
        os.environ[PLAN] = dumps([_digest(config), _text(base), everything()])


def hold_to(base: Path, config: Mapping[str, Any]) -> None:
    """End a cluster's job whose code or config is not that of the call that submitted it.

    A job reads both anew on its node, and would take an edit made in between for its plan.
    """
    if PLAN not in os.environ:
        print(
            "error: the environment of the call did not reach this job, which so cannot know its "
            "plan; let the cluster hand it on (sbatch --export=ALL, which is its default)",
            file=sys.stderr,
        )
        sys.exit(1)
    planned, text, code = json.loads(os.environ[PLAN])
    is_same_code = text == _text(base) or code == everything()  # the first is quick to see
    if planned != _digest(config) or not is_same_code:
        print(
            "error: the code or the config changed after the jobs were planned; call snakemake "
            "again",
            file=sys.stderr,
        )
        sys.exit(1)


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps(config).encode()).hexdigest()


def _text(base: Path) -> str:
    """A digest of the modules as they are written, comments and all."""
    digest = hashlib.sha256()
    for file in sorted({*(base / "workflow").rglob("*.py"), *PACKAGE.rglob("*.py")}):
        digest.update(file.read_bytes())
    return digest.hexdigest()
