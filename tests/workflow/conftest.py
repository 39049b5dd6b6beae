"""A small embedded world, run once, that tests copy, edit and plan again."""

import re
import shutil

import pytest

from tests.conftest import Checkout

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

FLAGS = ("--configfile", "tiny.yaml", "--cores", "2")
TARGETS = ("all_tables", "all_figures")


class Tiny(Checkout):
    """A checkout with the small world as its config."""

    def __init__(self, folder):
        super().__init__(folder)
        (folder / "tiny.yaml").write_text(TINY)

    def run(self, *arguments, **options):
        return self.snakemake(*(arguments or TARGETS), *FLAGS, **options)

    def planned(self, *targets):
        """What would run: a set of (rule, sorted wildcards)."""
        output = self.run(*(targets or TARGETS), "-n").output
        jobs = set()
        for block in re.split(r"\n(?=(?:local)?rule )", output):
            head = re.match(r"(?:local)?rule (\w+):", block)
            if head:
                found = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
                jobs.add((head[1], found[1] if found else ""))
        return {job for job in jobs if not job[0].startswith(("all_", "uat_"))}

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
    copy = object.__new__(Tiny)
    copy.folder = tmp_path / "again"
    shutil.copytree(finished.folder, copy.folder)
    return copy
