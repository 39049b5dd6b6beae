"""The worlds that ship, planned where their data are not: with stand-in files, by a dry run."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penumbra.networks.loading.clip_files import CONFIG
from penumbra.planning import parts, weights
from penumbra.planning.config import load_yaml, merge
from penumbra.planning.world import World

ROOT = Path(__file__).resolve().parents[1]
OVERLAYS = {
    "embedded": (),
    "cifar": ("cifar",),
    "cifar-cpu": ("cifar", "cifar-cpu"),
    "cifar100": ("cifar100",),
    "tiny-imagenet": ("tiny-imagenet",),
    "tiny-imagenet-cpu": ("tiny-imagenet", "tiny-imagenet-cpu"),
    "imagenet": ("imagenet",),
    "imagenet1k": ("imagenet1k",),
    "midog-spacenet8": ("midog", "spacenet8", "midog-spacenet8"),
    "adjacent": ("adjacent",),
}
# Planned under a name of which there are no results, so that no job is done already.
PLANNED = "planned-only"


def files_of(name: str) -> list[Path]:
    """The config files of a world that are laid over config/config.yaml."""
    return [ROOT / "config" / f"{overlay}.yaml" for overlay in OVERLAYS[name]]


def own(folder: Path) -> dict[str, str]:
    """What a planned world has of its own: its name, and `folder` for its data and weights."""
    return {"world": PLANNED, "data_root": str(folder), "weights_root": str(folder / "weights")}


def made(name: str, folder: Path) -> World:
    """A world that looks for its data and weights in `folder`."""
    files = [ROOT / "config/config.yaml", *files_of(name)]
    config: dict[str, Any] = {}
    for file in files:
        config = merge(config, load_yaml(file))
    return World(config | own(folder), ROOT / "config", files)


def stand_in(world: World) -> None:
    """Empty files where the world's data sets and published weights would lie.

    Planning reads names and sizes of files alone.
    """
    assert world.root is not None
    for entry in world.config["image_sets"].values():
        for name, split in world.sources(entry["dataset"], entry["split"]):
            if world.datasets[name]["reader"] == "stored":
                folder = world.root / world.datasets[name].get("folder", name)
                _touch(folder / f"{split}.parquet")
    for wanted in weights.wanted(world):
        for file in wanted.lacking:  # of a folder of several files
            _touch(file)
            if file == wanted.place / CONFIG:  # of a CLIP, whose normalisation the planner reads
                said = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
                (file.parent / "preprocessor_config.json").write_text(json.dumps(said))
    for name in world.config["parts"]:
        entry = parts.part(world, name)
        if entry.get("weights") is not None:
            _touch(parts.weights_file(world, entry))


def _touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


@dataclass(frozen=True)
class Job:
    """One job of a dry run: its rule, its wildcards, the files that it reads and writes."""

    rule: str
    wildcards: "Wildcards"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def stated(self) -> str:
        """The rule's name in `compute.demands`: shards and what gathers them have none."""
        rule = self.rule.removesuffix("_shard")
        return "gather" if rule.startswith("gather_") else rule


class Wildcards(dict):
    """Wildcards as Snakemake hands them to functions: by attribute and by name."""

    def __getattr__(self, name: str) -> str:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


@dataclass(frozen=True)
class Plan:
    """A dry run: its seconds, peak memory in MiB, and jobs but for those that only name targets."""

    seconds: float
    peak_mib: float
    jobs: list[Job]


def dry_run(
    name: str, folder: Path, targets: Iterable[str], over: Mapping[str, Any] | None = None
) -> Plan:
    """Plan a world whose data `stand_in` put into `folder`; `over` is laid over its config.

    Raises:
        SystemExit: Snakemake refused, with what it said.
    """
    last = folder / "planned.yaml"
    last.write_text(yaml.safe_dump({**own(folder), **(over or {})}))
    files = [str(file) for file in (*files_of(name), last)]
    command = [sys.executable, "-m", "snakemake", *targets, "-n", "--configfile", *files]
    return measured(command)


def measured(command: list[str]) -> Plan:
    """Run a dry run; its memory is that of this one process, not of what ran before."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{text[-3000:]}")
    return Plan(seconds, usage.ru_maxrss / 1024, list(jobs_of(text)))


def jobs_of(text: str) -> Iterator[Job]:
    """The jobs that a dry run prints."""
    for block in re.split(r"\n(?=(?:local)?rule )", text):
        head = re.match(r"(?:local)?rule (\w+):", block)
        if head is None:
            continue
        listed = dict(re.findall(r"^    (input|output|wildcards): (.*)$", block, re.MULTILINE))
        if "output" in listed:
            pairs = _split(listed.get("wildcards"))
            wildcards = Wildcards(pair.split("=", 1) for pair in pairs)
            yield Job(head[1], wildcards, _split(listed.get("input")), _split(listed["output"]))


def _split(line: str | None) -> tuple[str, ...]:
    return tuple(line.split(", ")) if line else ()


def needed(jobs: list[Job]) -> dict[str, set[int]]:
    """Table -> numbers of the jobs that it needs."""
    maker = {file: i for i, job in enumerate(jobs) for file in job.outputs}

    def behind(first: int) -> set[int]:
        found, queue = {first}, [first]
        while queue:
            made = {maker[file] for file in jobs[queue.pop()].inputs if file in maker}
            queue += made - found
            found |= made
        return found

    return {job.wildcards.table: behind(i) for i, job in enumerate(jobs) if job.rule == "tables"}
