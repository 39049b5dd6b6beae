"""A small embedded world, run once, that tests copy, edit and plan again."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.conftest import Checkout
from tests.processes import working_in

# Real images and networks, one short run of each model.
TINY = """
world: tiny
seeds: [0]
image_sets:
  textures: {count: 24}
  faces: {count: 24}
benchmarks:
  digits: {ood: {far: [textures, faces]}}
recipes:
  standard: {epochs: 1, batch_size: 64}
block_selection: {images: 16}
tables: [uat_table01, uat_table13]
figures: [uat_figure05]
"""

# badood's whole chain on a handful of digits: every part trained, two judges, one retraining each.
CHAIN = """
world: tiny
seeds: [0]
image_sets:
  digits-train: {limit: 160}
  digits-heldout: {limit: 60}
  digits-test: {limit: 60}
  things: {count: 60}
  textures: {count: 24}
  faces: {count: 24}
benchmarks:
  digits: {ood: {far: [textures, faces]}}
backbones:
  resnet34: {options: {width: 4}}
recipes:
  standard: {epochs: 1, batch_size: 32}
  detector: {epochs: 2}
parts:
  moco-b: {training: {epochs: 2, warmup_epochs: 0}}
  moco-l: {options: {width: 32, depth: 1}}
  rdm-b: {options: {width: 32, blocks: 2, bottleneck: 32}, training: {epochs: 10}}
  tokenizer: {training: {epochs: 1}}
  mage-b:
    options: {width: 32, depth: 1, decoder_width: 32}
    training: {epochs: 4, warmup_epochs: 0}
  mage-l: {options: {depth: 1}}
outliers:
  mixed: {decoding: {steps: 4}}
# After two epochs energies may be inverted, and q lie anywhere: a map free to fall, a band of all.
calibrations:
  beta: {options: {parameters: ab}}
filters:
  mid: {low: 0.0, high: 1.0}
categories: {sample: 40}
tables: [chain, badood_table03]
figures: [badood_figure01, badood_figure02]
"""

CHAIN_TABLE = """
title: The chain
benchmark: badood
backbone: resnet34
columns:
  - {group: far, label: Average, metrics: [fpr95, auroc]}
  - {metrics: [test_accuracy, synthesis_seconds]}
rows:
  - {label: No filter, recipe: detector, scorer: energy}
  - {label: Mid, recipe: bad-ood, scorer: energy}
  - {label: In-sample, recipe: bad-ood-in-sample, scorer: energy}
  - {label: Reconstructed, recipe: detector-reconstructed, scorer: energy}
"""


def csv_rows(file):
    """Rows of a table's CSV, behind its caption."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("# ")))


FLAGS = ("--configfile", "tiny.yaml", "--cores", "2")
TARGETS = ("all_tables", "all_figures")


class Tiny(Checkout):
    """A checkout with the small world as its config."""

    def __init__(self, folder, config=TINY):
        super().__init__(folder)
        (folder / "tiny.yaml").write_text(config)
        (folder / "config/tables/chain.yaml").write_text(CHAIN_TABLE)

    def run(self, *arguments, **options):
        return self.snakemake(*(arguments or TARGETS), *FLAGS, **options)

    def run_killed(self, target, sign):
        """Towards a target whose stage is killed (SIGKILL) once its output shows `sign`.

        Returns Snakemake's exit code.
        """
        command = [sys.executable, "-m", "snakemake", target, *FLAGS]
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            if sign in line:
                for number, command in working_in(self.folder):
                    if f"out model={target}" in " ".join(command):
                        os.kill(number, signal.SIGKILL)
                break
        process.stdout.read()
        return process.wait()

    def planned(self, *targets):
        """What would run: a set of (rule, sorted wildcards)."""
        output = self.run(*(targets or TARGETS), "-n").output
        jobs = set()
        for block in re.split(r"\n(?=(?:local)?rule )", output):
            head = re.match(r"(?:local)?rule (\w+):", block)
            if head:
                found = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
                jobs.add((head[1], found[1] if found else ""))
        return {job for job in jobs if not job[0].startswith(("all_", "uat_", "badood_"))}

    def results(self):
        """Bytes of every Parquet file and checkpoint."""
        folder = self.folder / "results" / "tiny"
        files = (p for p in folder.rglob("*") if p.suffix in (".parquet", ".safetensors"))
        return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The small world, computed."""
    made = Tiny(tmp_path_factory.mktemp("finished"))
    made.run()
    return made


@pytest.fixture
def again(finished, tmp_path):
    """A copy of the computed world, with its times and Snakemake's memory of it."""
    return copied(finished, tmp_path)


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory):
    """The small chain, computed."""
    made = Tiny(tmp_path_factory.mktemp("synthesised"), CHAIN)
    made.run()
    return made


@pytest.fixture
def chain(synthesised, tmp_path):
    """A copy of the computed chain."""
    return copied(synthesised, tmp_path)


def copied(world, folder):
    copy = object.__new__(Tiny)
    copy.folder = folder / "again"
    shutil.copytree(world.folder, copy.folder)
    return copy
