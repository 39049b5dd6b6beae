"""What every stage does around its one call: arguments, checks, provenance, run record."""

import argparse
import contextlib
import json
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, of_computing
from penumbra.store import checked, origins, seals
from penumbra.store.artifacts import COMMIT, dumps, place, run_record
from penumbra.store.closure import code_of, strays
from penumbra.store.files import write_text

# Wildcards as they follow each other in paths.
ORDER = (
    *("part", "image_set", "benchmark", "outliers", "id_images", "shard"),
    *("backbone", "recipe", "seed"),
    *("input", "block", "scorer", "calibration", "table", "figure"),
)
# What a run record tells of the environment, where it is there.
TOLD = {"commit": COMMIT, "gpu": "CUDA_VISIBLE_DEVICES"}


class Job:
    """One run of a stage: its spec, its files by name, and the record of the run."""

    def __init__(self, argv: list[str] | None = None, spec: str | None = None):
        """`argv` and `spec` are those of the process where none are given."""
        self.cpu = {"start": time.process_time()}  # the interpreter and what it has imported
        parser = argparse.ArgumentParser(
            description="Run one stage by hand; the spec and files are those of its rule "
            "(snakemake -n -p prints them). The spec, JSON, comes by standard input."
        )
        parser.add_argument("--spec", type=Path, metavar="FILE", help="a file that holds the spec")
        parser.add_argument("--in", nargs="*", default=[], metavar="NAME=PATH", dest="inputs")
        parser.add_argument("--out", nargs="*", default=[], metavar="NAME=PATH", dest="outputs")
        arguments = parser.parse_args(argv)
        if spec is None:
            spec = arguments.spec.read_text("utf-8") if arguments.spec else sys.stdin.read()
        self.spec: dict[str, Any] = json.loads(spec)
        self.config = self.spec["config"]
        self.wildcards: dict[str, str] = self.spec["wildcards"]
        self.inputs = _named(arguments.inputs)
        self.outputs = {name: paths[0] for name, paths in _named(arguments.outputs).items()}
        self.started = time.perf_counter()
        self.code = code_of([f"penumbra.stages.{self.spec['rule']}", *self.spec["roots"]])
        if self.code["digest"] != self.spec["code"]:
            raise PenumbraError(
                "the code changed after the jobs were planned; call snakemake again"
            )
        self.digests = _checked(self.inputs)
        self.cpu["checks"] = time.process_time() - self.cpu["start"]

    def input(self, name: str) -> Path:
        """The one file given as `name`."""
        return self.inputs[name][0]

    def provenance(self) -> dict[str, Any]:
        """All that decides the bytes of the job's artifacts."""
        return {
            "rule": self.spec["rule"],
            "wildcards": self.wildcards,
            "config": self.config,
            "code": self.code,
            "inputs": self.digests,
            "python": platform.python_version(),
        }

    def record(self, artifact: Path, earlier: float = 0.0, **more: Any) -> None:
        """Write beside `artifact` what differs from run to run.

        `earlier` are the seconds of runs that were stopped, and that this one went on from.
        """
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu = {**self.cpu, "work": time.process_time() - sum(self.cpu.values())}
        run = {
            "rule": self.spec["rule"],
            "seconds": round(earlier + time.perf_counter() - self.started, 3),
            "cpu_seconds": {part: round(seconds, 3) for part, seconds in cpu.items()},
            "peak_memory_mib": round(peak, 1),
            "host": socket.gethostname(),
            "machine": platform.machine(),
            **{key: os.environ[name] for key, name in TOLD.items() if name in os.environ},
            **more,
        }
        write_text(run_record(artifact), dumps(run) + "\n")

    def report(self, text: str) -> None:
        """One line of progress."""
        names = "/".join(self.wildcards[key] for key in ORDER if key in self.wildcards)
        print(f"{self.spec['rule']} {names}: {text}", flush=True)

    def check_imports(self) -> None:
        """Refuse to end well where code ran that the rule's digest does not know."""
        unseen = strays([f"penumbra.stages.{self.spec['rule']}", *self.spec["roots"]])
        if unseen:
            raise PenumbraError(
                f"stage {self.spec['rule']} imported {', '.join(unseen)} behind its closure; "
                "import statically, so that an edit there reruns it"
            )


def _checked(inputs: Mapping[str, list[Path]]) -> dict[str, str]:
    """Digests of all inputs by path.

    One that is damaged, or another than its path says, ends the job before it is used.
    """
    files = sorted({os.path.relpath(path) for paths in inputs.values() for path in paths})
    digests = {path: checked.digest(Path(path)) for path in files}
    for path in map(Path, files):
        # Elsewhere lie published weights, and checkpoints that a user copied and renamed.
        if place(path) and path.suffix in seals.CARRIERS:
            origins.check(path)
    return digests


def _named(pairs: list[str]) -> dict[str, list[Path]]:
    paths: dict[str, list[Path]] = {}
    name = ""
    for pair in pairs:
        head, equals, tail = pair.partition("=")
        if equals and head.isidentifier():
            name, pair = head, tail
        if pair:  # an optional input that is not there leaves `name=`
            paths.setdefault(name, []).append(Path(pair))
    return paths


def main(stage: Callable[[Job], None]) -> None:
    """Run a stage; what a user can mend is shown as one message, without traceback."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that has no "×" ends no job
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        job = Job()
        stage(job)
        job.check_imports()
    except (PenumbraError, RuntimeError, MemoryError) as error:
        said = error if isinstance(error, PenumbraError) else of_computing(error)
        if said is None:
            raise
        # Who reads the message may have been ended by the signal that ended this job.
        with contextlib.suppress(BrokenPipeError):
            print(f"error: {said}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def seeded(provenance: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Provenance with the seed that the job's draws were derived from."""
    return {**provenance, "seed": seed}
