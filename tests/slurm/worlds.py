"""A small world that is computed on the cluster through the profile that users have."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.workflow.conftest import Tiny

# Images and networks are those of the embedded world; jobs ask for the GPU and compute on the CPU.
ON_CLUSTER = """
world: tiny
seeds: [0]
compute: {device: cpu, gpus: 1, longest: 600}
image_sets:
  textures: {count: 24}
  faces: {count: 24}
benchmarks:
  digits: {ood: {far: [textures, faces]}}
recipes:
  standard: {epochs: 2, batch_size: 64}
block_selection: {images: 16}
tables: [cluster]
figures: []
"""

# Fits and scores of arrays and of the network, and statistics of a block: every kind of job.
TABLE = """
title: On a cluster
benchmark: main
backbone: resnet18
columns:
  - {group: far, label: Average, metrics: [fpr95, auroc]}
  - {metrics: [test_accuracy]}
rows:
  - {label: MSP, recipe: standard, scorer: msp}
  - {label: ReAct, recipe: standard, scorer: react}
  - {label: ODIN, recipe: standard, scorer: odin}
  - {label: Mahalanobis, recipe: standard, scorer: mahalanobis-step}
  - {label: FN, recipe: standard, scorer: fn}
  - {label: UAT + CCFN, recipe: uat, scorer: ccfn}
"""

PARTITIONS = """
partitions:
  cpu: {max_runtime: 600, max_mem_mb: 32000, max_threads: 4, max_gpu: 0}
  gpu: {max_runtime: 600, max_mem_mb: 32000, max_threads: 4, max_gpu: 1}
"""

# Sites wait longer, where jobs take longer than seconds.
QUICK = ("--slurm-init-seconds-before-status-checks", "3", "--seconds-between-status-checks", "3")
QUICK += ("--latency-wait", "15")


class OnCluster(Tiny):
    """A checkout with that world, whose Snakemake submits to a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, config: str = ON_CLUSTER):
        super().__init__(folder, config)
        self.cluster = cluster
        (folder / "partitions.yaml").write_text(PARTITIONS)
        (folder / "config/tables/cluster.yaml").write_text(TABLE)

    def command(self, *arguments: str) -> list[str]:
        """Snakemake's call, as a user types it, with the site's partitions."""
        site = ("--slurm-partition-config", "partitions.yaml", "--configfile", "tiny.yaml")
        return [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *site, *QUICK]

    def submit(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end."""
        process = self.start(*arguments)
        return self.end(process, check=check)

    def start(self, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start Snakemake; `end` waits for it. What it says goes to a file, not to a pipe.

        `prefix` is a command that runs the call, in a name space of its own for example.
        """
        log = (self.folder / "snakemake.out").open("a")
        return subprocess.Popen(
            [*prefix, *self.command(*arguments)],
            cwd=self.folder,
            env=self.cluster.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self, process: subprocess.Popen[str], check: bool = True, seconds: float = 1200):
        """Wait for a started Snakemake; an error code fails the test with what it said."""
        process.wait(timeout=seconds)
        done = subprocess.CompletedProcess(process.args, process.returncode)
        done.output = (self.folder / "snakemake.out").read_text()
        assert done.returncode == 0 or not check, done.output[-6000:]
        return done

    def jobs(self) -> list[dict[str, str]]:
        """The cluster's rows of the jobs that this checkout submitted."""
        return [row for row in self.cluster.jobs() if row["WorkDir"] == str(self.folder)]

    def settled(self) -> list[dict[str, str]]:
        """The rows of all jobs once the accounts know how each ended."""

        def known():
            rows = self.jobs()
            open_states = ("RUNNING", "PENDING", "COMPLETING", "REQUEUED")
            ended = all(row["State"].split()[0] not in open_states for row in rows)
            return rows if rows and ended and all(row["AllocTRES"] for row in rows) else None

        return self.cluster.wait(known, "the accounts of all jobs", "slurmdbd")
