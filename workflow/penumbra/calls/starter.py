"""Lets a local call of Snakemake fork its stages from one process that has torch imported.

An import of torch takes two seconds, and a world has hundreds of jobs that need it. The process
(workflow/starter/server.py) lives as long as the call. A cluster's jobs start by themselves, and so
do jobs of several threads: how many a library takes is settled when it is loaded.
"""

import ast
import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from penumbra.calls.records import Record
from penumbra.store.closure import NAME, PACKAGE, exists, source, with_parents

SOCKET = "PENUMBRA_STARTER"
# In the shell of a rule: `starter python -m STAGE …` asks the process, where there is one for this
# job, and is `python -m STAGE …` elsewhere. It takes the place of its shell, one side of the rule's
# pipe, so that the stage is that shell's child and none between them outlives a kill.
PREFIX = (
    f'starter() {{{{ if [ -n "${{{{{SOCKET}:-}}}}" ] && [ "${{{{OMP_NUM_THREADS:-}}}}" = 1 ]; then '
    f'shift; set -- python -I -S "${SOCKET}_CLIENT" "${SOCKET}" "$@"; fi; exec "$@"; }}}};'
)
PATIENCE = 10  # seconds that the process may take to end
LONGEST = 80  # bytes of a folder's name below which a socket's path is not too long


def start(workflow: Any, base: Path, record: Record) -> list[int]:
    """Start the process, if the jobs of this call run here and in this environment.

    Returns its number, or nothing; the next call clears its folder should this one be killed.
    """
    if workflow.executor_plugin.name != "local" or workflow.deployment_settings.deployment_method:
        return []
    parent = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="penumbra-", dir=parent if len(parent) < LONGEST else "/tmp")
    record.note(folders=[folder])
    socket = os.path.join(folder, "socket")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    server = subprocess.Popen(
        [sys.executable, base / "workflow/starter/server.py", socket],
        stdin=subprocess.PIPE,
        env=os.environ | threads,
        start_new_session=True,  # an interrupt is for the call, which then ends the jobs
    )
    assert server.stdin is not None
    server.stdin.write(json.dumps(_imported()).encode() + b"\n")
    server.stdin.flush()
    while not os.path.exists(socket) and server.poll() is None:
        time.sleep(0.01)
    os.environ[SOCKET] = socket
    os.environ[f"{SOCKET}_CLIENT"] = str(base / "workflow/starter/client.py")
    atexit.register(_stop, server, folder)
    return [server.pid]


def _stop(server: subprocess.Popen, folder: str) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:  # it is stopped, perhaps
        server.kill()
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed


def _imported() -> dict[str, list[str]]:
    """For every stage, what it and the project's modules behind it import from elsewhere."""
    stages = (f"{NAME}.stages.{file.stem}" for file in (PACKAGE / "stages").glob("[!_]*.py"))
    return {stage: _of_others(stage) for stage in stages}


def _of_others(stage: str) -> list[str]:
    """In order; what a function imports only when it is called stays out, with all behind that."""
    modules, imports = [stage], dict[str, None]()
    for module in modules:  # which grow
        ours, others = _loaded(module)
        modules += [each for each in ours if each not in modules]
        imports |= dict.fromkeys(others)
    return list(imports)


@functools.cache
def _loaded(module: str) -> tuple[list[str], list[str]]:
    """The project's modules, and others, that a module imports when it is loaded itself."""
    ours: dict[str, None] = {}
    others: list[str] = []
    for node in ast.parse(source(module).read_bytes()).body:
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [str(node.module)]
        else:
            continue
        if named[0].split(".")[0] != NAME:
            others += named
            continue
        if isinstance(node, ast.ImportFrom):
            named += [f"{node.module}.{alias.name}" for alias in node.names]
        for name in named:
            ours |= dict.fromkeys(filter(exists, with_parents(name)))
    return list(ours), others
