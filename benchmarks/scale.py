"""What grows with the number of images and jobs: writes benchmarks/results/scale.md.

    python benchmarks/scale.py --images 1300000

plans the large worlds, with empty files where their data would lie, and takes a set of so many
small images, and before it a tenth of them, through the real stages, one job at a time.
"""

import argparse
import datetime
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks import scale_fits, scale_world, worlds  # noqa: E402
from penumbra.images.image_set import decoded  # noqa: E402
from penumbra.images.readers import stored  # noqa: E402

PLANNED = ("embedded", "cifar", "tiny-imagenet", "imagenet")
SEEDS = {"seeds": [0, 1, 2]}
MODEL = "scale/narrow/standard/seed0"
READING = f"{MODEL}/clean"
STAGES = {
    "images": "images/scale-test.parquet",
    "outputs": f"outputs/{READING}.parquet",
    "statistics": f"statistics/{READING}/selected.parquet",
    "accuracy": f"accuracy/{READING}.parquet",
    **{f"scores of {s}": f"scores/{READING}/{s}.parquet" for s in ("energy", "knn", "vim", "fn")},
    "scores of odin, of the network": f"scores/{READING}/odin.parquet",
    "metrics": f"metrics/{READING}.parquet",
}
IMAGENET, WIDTH = 1_281_167, 2_048  # training images of ImageNet-1k, features of ResNet-50

Record = dict[str, float]


def planning() -> list[str]:
    """Rows: seconds and memory of dry runs of all tables and figures."""
    rows = ["| world, seeds 0, 1, 2 | jobs | seconds | peak memory, MiB |", "|---|---:|---:|---:|"]
    for name in PLANNED:
        with tempfile.TemporaryDirectory() as folder:
            worlds.stand_in(worlds.made(name, Path(folder)))
            plan = worlds.dry_run(name, Path(folder), ("all_tables", "all_figures"), SEEDS)
        rows.append(f"| {name} | {len(plan.jobs):,} | {plan.seconds:.1f} | {plan.peak_mib:,.0f} |")
    return rows


def photographs(count: int = 200) -> float:
    """Images/s at which one core decodes JPEGs of 500×375 and cuts 224×224 out of them."""
    from skimage import data

    out = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((500, 375)).save(out, "JPEG", quality=90)
    dataset = {"title": "One photograph", "classes": 1, "square": "crop"}
    dataset |= {"labelled": False, "splits": {"test": {}}}
    spec = {"name": "photograph", "dataset_name": "photograph", "dataset": dataset}
    spec |= {"split": "test", "size": 224, "count": count, "folders": None}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photograph"
        folder.mkdir()
        paths = [f"{i}.JPEG" for i in range(count)]
        table = scale_world.shard([out.getvalue()] * count, paths, np.zeros(count, np.int64))
        pq.write_table(table, folder / "test.parquet", row_group_size=scale_world.GROUP)
        start = time.perf_counter()
        for _ in decoded(stored.entries(spec, Path(name))):
            pass
        return count / (time.perf_counter() - start)


def passed(images: int) -> dict[str, Record]:
    """Stage -> what it records of its run, of a test set of so many images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scale_world.checkout(folder, images)
        data = folder / "data/scale"
        scale_world.write_shards(data, "train", scale_world.TRAIN, seed=1)
        scale_world.write_shards(data, "test", images, seed=2)
        command = [sys.executable, "-m", "snakemake", "all_tables", "--configfile", "scale.yaml"]
        # One job at a time, so that none takes the cores of another.
        environment = os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "--cores", "1"], cwd=folder, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
        results = folder / "results/scale"
        return {
            stage: json.loads((results / f"{file}.run.json").read_text())
            for stage, file in STAGES.items()
        }


def stages(images: int) -> list[str]:
    """Rows: seconds, rate and memory of every stage at a tenth of the images and at all of them."""
    few = images // 10
    small, large = passed(few), passed(images)
    rows = [
        f"| stage | s, {few:,} | s, {images:,} | images/s between | MiB, {few:,} | MiB, {images:,} "
        "| bytes more an image |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for stage in STAGES:
        seconds = [record[stage]["seconds"] for record in (small, large)]
        peaks = [record[stage]["peak_memory_mib"] for record in (small, large)]
        rate = (images - few) / max(1e-3, seconds[1] - seconds[0])
        grown = (peaks[1] - peaks[0]) * 2**20 / (images - few)
        rows.append(
            f"| {stage} | {seconds[0]:.1f} | {seconds[1]:.1f} | {rate:,.0f} | {peaks[0]:,.0f} "
            f"| {peaks[1]:,.0f} | {grown:,.0f} |"
        )
    return rows


def fits(counts: tuple[int, int] = (10_000, 40_000)) -> list[str]:
    """Rows: memory of fits on wide features at two sizes, and what follows for ImageNet-1k."""
    small, large = (scale_fits.measure(count) for count in counts)
    rows = [
        f"| fit on × {WIDTH:,} features | MiB, {counts[0]:,} | MiB, {counts[1]:,} "
        f"| bytes a value | GiB, {IMAGENET:,} |",
        "|---|---:|---:|---:|---:|",
    ]
    for scorer in scale_fits.SCORERS:
        peaks = [record[scorer]["peak_memory_mib"] for record in (small, large)]
        each = (peaks[1] - peaks[0]) * 2**20 / (counts[1] - counts[0])
        whole = peaks[1] / 1024 + each * (IMAGENET - counts[1]) / 2**30
        rows.append(
            f"| {scorer} | {peaks[0]:,.0f} | {peaks[1]:,.0f} | {each / WIDTH:.1f} | {whole:,.0f} |"
        )
    return rows


def heading() -> str:
    """Date, device and versions."""
    from benchmarks.run import device_name  # imports torch, whose memory is no planning's

    names = ("torch", "snakemake", "pyarrow", "pillow", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    python = sys.version.split()[0]
    return f"{datetime.date.today()}, {device_name()}, Python {python}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_300_000, help="images of the large set")
    images = parser.parse_args().images
    planned = "\n".join(planning())  # first, while this process is small
    side, classes = scale_world.SIDE, scale_world.CLASSES
    what = f"{images:,} JPEGs of {side}×{side} in {classes:,} classes"
    blocks = [
        f"# Scale\n\n{heading()}",
        "## Planning\n\nA dry run of all tables and figures.",
        planned,
        f"## Stages\n\n{what} as test set, one job at a time, one thread.",
        "\n".join(stages(images)),
        f"JPEGs of 500×375, cut to 224×224: {photographs():,.0f} images/s.",
        "## Fits",
        "\n".join(fits()),
    ]
    text = "\n\n".join(blocks) + "\n"
    print(text)
    out = ROOT / "benchmarks/results/scale.md"
    out.parent.mkdir(exist_ok=True)
    out.write_text(text)


if __name__ == "__main__":
    main()
