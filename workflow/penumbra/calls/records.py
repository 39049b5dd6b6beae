"""Which calls of Snakemake hold this folder, and what one that was killed left behind.

Snakemake knows that files are locked, not by whom. So every call keeps a record of itself in
`.snakemake/calls/`, and holds a lock of the operating system on it, which ends with the process,
however that ends. A record without that lock is of a call that was killed.
"""

import atexit
import contextlib
import fcntl
import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

import psutil

SNAKEMAKE = Path(".snakemake")
CALLS = SNAKEMAKE / "calls"
CALL = "PENUMBRA_CALL"  # names the call in the environment of its jobs
UNKNOWN = {"host": "?", "process": "?", "executor": "?", "folders": []}
YOUNG = 60  # seconds in which a call may be about to lock and write its record
SAVING = 60  # seconds that a training may take to save its state after SIGTERM


class Record:
    """This call, for the next one: where it runs, what runs its jobs, its temporary folders."""

    def __init__(self) -> None:
        CALLS.mkdir(parents=True, exist_ok=True)
        name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        self._path = CALLS / f"{name}.json"
        self._file = self._path.open("x", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._content: dict[str, Any] = {"host": socket.gethostname(), "process": os.getpid()}
        self.note(executor="local", folders=[])
        os.environ[CALL] = name
        atexit.register(self._path.unlink, missing_ok=True)

    def note(self, **content: Any) -> None:
        """Add to the record what the next call must know if this one is killed."""
        self._content |= content
        self._file.seek(0)
        json.dump(self._content, self._file)
        self._file.truncate()
        self._file.flush()


def begin() -> Record:
    """Clear what killed calls left in this folder, and record this call."""
    living, dead = _others()
    locks = list((SNAKEMAKE / "locks").glob("*.lock"))
    for record in living:
        _say(f"{_named(record)} works in this folder, too")
    elsewhere = [record for record in dead.values() if _may_still_run(record)]
    for path, record in dead.items():
        if record not in elsewhere:
            _end_jobs(path.stem)
            for folder in record["folders"]:
                shutil.rmtree(folder, ignore_errors=True)
        elif locks:
            _say(
                f"{_named(record)} was killed, and its jobs may still run (squeue --me lists "
                "Slurm's). When they have ended: snakemake --unlock, then this call again"
            )
            continue
        path.unlink(missing_ok=True)
    if dead and not living and not elsewhere:
        _lift(locks, dead)
    return Record()


def living(folder: Path) -> list[str]:
    """The calls of Snakemake that work in a folder, as messages name them."""
    return list(map(_named, _others(folder)[0]))


def _others(folder: Path = Path()) -> tuple[list[dict], dict[Path, dict]]:
    """Records of calls that live, and of killed ones by path."""
    living, dead = [], {}
    for path in sorted((folder / CALLS).glob("*.json")):
        with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                is_living = False
            except BlockingIOError:
                is_living = True
            record = _read(file.read())
            if is_living:
                living.append(record)
            elif time.time() - path.stat().st_mtime > YOUNG or record is not UNKNOWN:
                dead[path] = record
    return living, dead


def _read(text: str) -> dict:
    """A record; of one that is not whole nothing is known, and nothing taken for granted."""
    try:
        return json.loads(text)
    except ValueError:
        return UNKNOWN


def _may_still_run(record: dict) -> bool:
    """Whether jobs of a killed call may run where this process cannot see them."""
    return record["executor"] != "local" or record["host"] != socket.gethostname()


def _lift(locks: list[Path], dead: dict[Path, dict]) -> None:
    """Remove Snakemake's locks and temporary folders, which nothing alive holds."""
    for lock in locks:
        lock.unlink(missing_ok=True)
    for folder in SNAKEMAKE.glob("shell_tmp.*"):
        shutil.rmtree(folder, ignore_errors=True)
    if locks:
        _say(f"{_named(next(iter(dead.values())))} was killed; its lock on this folder is lifted")


def _end_jobs(call: str) -> None:
    """End the processes on this machine that a killed call started; trainings save their state."""
    left = [process for process in psutil.process_iter() if _call_of(process) == call]
    if not left:
        return
    _say(f"{len(left)} processes of a call that was killed still run; they are ended")
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(left, timeout=SAVING)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _call_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(CALL)
    except (psutil.Error, OSError):  # another user's, or gone
        return None


def _named(record: dict) -> str:
    return f"a call of snakemake (process {record['process']} on {record['host']})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
