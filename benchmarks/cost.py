"""What the tables of every world cost, from its planned jobs: rewrites the tables in docs/cost.md.

    python benchmarks/cost.py

Estimates: arithmetic from `benchmarks.flops`, hours at the rates below; hours of jobs without a
network at the rates that the config states.
"""

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks import flops, worlds  # noqa: E402
from penumbra.networks.inference import build  # noqa: E402
from penumbra.planning import outlier_training, parts, resources  # noqa: E402
from penumbra.planning.config import resolve_recipe  # noqa: E402
from penumbra.planning.world import World  # noqa: E402

DOCUMENT = ROOT / "docs/cost.md"
MARK = "<!-- From here on written by benchmarks/cost.py. -->\n"

# Peaks in TFLOP/s. H200: dense products in bfloat16 as measured, of 989 published; the others'
# bfloat16 (with float32 sums) in the proportion of what is published. float32, which means no
# TF32 here, is as published.
H200 = "H200"
PEAKS = {
    H200: {"bfloat16": 780.0, "float32": 67.0},
    "A100": {"bfloat16": 780 * 312 / 989, "float32": 19.5},
    "RTX 3090": {"bfloat16": 780 * 71 / 989, "float32": 35.6},
}
SHARES = (0.45, 0.2)  # of a peak that residual networks and transformers reach, best and worst
MIDDLE = 0.3
CORES = 2
# GFLOP/s that a core is taken to sustain with networks as narrow as those of worlds without GPUs.
ON_CPU = {"embedded": 5, "cifar-cpu": 20, "tiny-imagenet-cpu": 100}  # the last: bfloat16 units

STAGES = {
    "training of classifiers": ("models", "zero_shot"),
    "training of parts": ("parts",),
    "representations": ("representations",),
    "outlier embeddings": ("embeddings",),
    "outlier images": ("outliers", "reconstructions"),
    "readings": ("outputs", "blocks", "statistics", "energies", "categories", "latency"),
    "scorers of the network": ("fits_network", "scores_network"),
}
ON_ARRAYS = "images, arrays, tables (no GPU)"


@dataclass(frozen=True)
class Cost:
    """A job's arithmetic in PFLOP and its precision; hours of one core where it has no network."""

    rule: str
    precision: str
    pflop: float
    core_hours: float

    def hours(self, device: str, share: float) -> float:
        """Hours of one GPU that reaches a share of its peak."""
        return 1000 * self.pflop / (share * PEAKS[device][self.precision]) / 3600


def runs_network(job: worlds.Job) -> bool:
    """Whether the job is of a stage that applies or trains a network."""
    return any(job.stated in rules for rules in STAGES.values())


def cost(world: World, job: worlds.Job) -> Cost:
    """What one planned job costs; nothing where its network has no count."""
    if runs_network(job):
        if flops.uncounted(world, job):
            return Cost(job.stated, "float32", 0, 0)
        return Cost(job.stated, precision(world, job), flops.gflop(world, job) / 1e6, 0)
    count = resources.thousands(world, job.stated, job.wildcards)
    seconds = count * resources.demand(world, job.stated, job.wildcards)["seconds"]
    return Cost(job.stated, "float32", 0, seconds / 3600)


def precision(world: World, job: worlds.Job) -> str:
    """What a job's network computes in."""
    wildcards, applied = job.wildcards, world.config["compute"]["precision"]
    options = {"precision": applied["features"]}
    if job.rule == "models":
        recipes = world.config["recipes"]
        options = resolve_recipe(recipes, wildcards.recipe, wildcards.backbone)
    elif job.rule == "parts":
        options = parts.part(world, wildcards.part).get("training") or {}
    elif job.rule == "outliers":
        options = parts.outlier_set(world, wildcards.outliers)["decoding"]
    elif job.rule == "embeddings":
        options = parts.outlier_set(world, wildcards.outliers)["guidance"]
    elif job.rule == "representations":
        options = {"precision": applied["representations"]}
    return options.get("precision", "float32")


def ranking(
    tables: dict[str, set[int]], hours: list[float]
) -> list[tuple[str, float, float, float]]:
    """Tables with hours alone, hours that leaving it out saves, hours left; what saves most first.

    Each row counts those above it as left out.
    """
    rest, rows = dict(tables), []
    while rest:
        uses = Counter(i for jobs in rest.values() for i in jobs)
        saved = {name: sum(hours[i] for i in jobs if uses[i] == 1) for name, jobs in rest.items()}
        best = max(rest, key=lambda name: (saved[name], sum(hours[i] for i in rest[name])))
        alone = sum(hours[i] for i in rest.pop(best))
        left = sum(hours[i] for i in set().union(*rest.values()))
        rows.append((best, alone, saved[best], left))
    return rows


def largest(jobs: list[worlds.Job], hours: list[float], key: str) -> str:
    """Hours of trainings by what a wildcard of theirs says, the three largest."""
    found: Counter[str] = Counter()
    for job, own in zip(jobs, hours, strict=True):
        if job.rule == "models":
            found[job.wildcards[key]] += own
    return ", ".join(f"{name} {number(own)}" for name, own in found.most_common(3) if own)


def number(value: float) -> str:
    """Two digits that count, or all of a large number."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.01 else "< 0.01"


def span(costs: Iterable[Cost], device: str) -> str:
    """Hours of a device from its best to its worst share."""
    costs = list(costs)
    low, high = (number(sum(c.hours(device, share) for c in costs)) for share in SHARES)
    return low if low == high else f"{low} – {high}"


def stage_rows(costs: list[Cost]) -> list[str]:
    """A row a stage: jobs, PFLOP, hours of each GPU."""
    rows = [
        "| stage | jobs | PFLOP | " + " | ".join(f"{device}, h" for device in PEAKS) + " |",
        "|---|---:|---:|" + "---:|" * len(PEAKS),
    ]
    named = {rule for rules in STAGES.values() for rule in rules}
    groups = {stage: [c for c in costs if c.rule in rules] for stage, rules in STAGES.items()}
    groups[ON_ARRAYS] = [c for c in costs if c.rule not in named]
    groups["**all**"] = costs
    for stage, found in groups.items():
        if found:
            pflop = sum(c.pflop for c in found)
            hours = " | ".join(span(found, d) if pflop else "–" for d in PEAKS)
            rows.append(
                f"| {stage} | {len(found):,} | {number(pflop) if pflop else '–'} | {hours} |"
            )
    return rows


def memory(world: World, jobs: list[worlds.Job]) -> str:
    """The jobs that ask for most main memory, and how many bytes of images a training keeps."""
    asked: dict[str, int] = {}
    images = 0
    for job in jobs:
        mb = resources.Demands(world).mem_mb(job.stated)(job.wildcards, 1)
        asked[job.stated] = max(mb, asked.get(job.stated, 0))
        if job.rule == "models":
            images = max(images, _kept(world, job.wildcards))
    most = sorted(asked.items(), key=lambda pair: -pair[1])[:3]
    listed = ", ".join(f"`{rule}` {mb / 1000:,.0f} GB" for rule, mb in most)
    return (
        f"Most main memory asked for: {listed}. A training keeps at most {number(images / 1e9)} GB "
        "of images on its device."
    )


def _kept(world: World, wildcards: worlds.Wildcards) -> int:
    train = world.config["benchmarks"][wildcards.benchmark]["train"]
    if outlier_training.streams(world, wildcards):  # batch by batch
        recipe = resolve_recipe(world.config["recipes"], wildcards.recipe, wildcards.backbone)
        count = recipe["batch_size"] + recipe["options"].get("outlier_batch", 0)
        return count * 3 * world.size(train) ** 2
    found = outlier_training.detector(world, wildcards.recipe, wildcards.backbone)
    count = resources.images(world, train)
    count += resources.outliers(world, wildcards.benchmark, found["set"]) if found else 0
    return count * 3 * world.size(train) ** 2


def measured_rate() -> float:
    """GFLOP/s of one core: the forward pass of ResNet-18 in benchmarks/results/peers.md."""
    text = (ROOT / "benchmarks/results/peers.md").read_text()
    count, seconds = re.search(
        r"\| forward of ([\d,]+) images, the floor \| ([\d.]+)", text
    ).groups()
    width, threads = (
        int(re.search(pattern, text)[1]) for pattern in (r"width (\d+)", r"(\d+) threads")
    )
    network = build({"network": "resnet", "layers": 18, "width": width, "stem": "cifar"}, 10)
    gflop = flops.forward(network, torch.zeros(1, 3, 32, 32)) * int(count.replace(",", ""))
    return gflop / float(seconds) / threads


def section(name: str) -> str:
    """One world: its stages, memory, and tables."""
    with tempfile.TemporaryDirectory() as folder:
        worlds.stand_in(worlds.made(name, Path(folder)))
        world = worlds.made(name, Path(folder))  # it remembers which data it found
        jobs = worlds.dry_run(name, Path(folder), ("all_tables",)).jobs
    networks_of = filter(runs_network, jobs)
    left_out = {what for job in networks_of if (what := flops.uncounted(world, job))}
    costs = [cost(world, job) for job in jobs]
    core_hours = sum(c.core_hours for c in costs)
    seeds = ", ".join(map(str, world.config["seeds"]))
    parts = [f"## {name}\n\n{len(jobs):,} jobs, seeds {seeds}."]
    if left_out:
        parts.append(f"Without the arithmetic of: {', '.join(sorted(left_out))}.")
    if world.config["compute"]["gpus"]:
        hours = [c.hours(H200, MIDDLE) for c in costs]
        unit = f"hours of an H200 at {MIDDLE:.0%} of its peaks"
        parts.append("\n".join(stage_rows(costs)))
        parts.append(f"Jobs without a network: {number(core_hours)} hours of a core at most.")
    else:
        rates = (ON_CPU[name], measured_rate())
        hours = [(c.pflop * 1e6 / rates[0] / 3600 + c.core_hours) / CORES for c in costs]
        fast = (sum(c.pflop for c in costs) * 1e6 / rates[1] / 3600 + core_hours) / CORES
        unit = f"hours of {CORES} cores at {rates[0]} GFLOP/s each"
        parts.append(
            f"{number(1000 * sum(c.pflop for c in costs))} TFLOP: {number(sum(hours))} {unit}; "
            f"{number(fast)} at the {rates[1]:.0f} GFLOP/s that a forward pass "
            "of a wider network was measured at. Starts of processes come on top."
        )
    networks, recipes = (largest(jobs, hours, key) for key in ("backbone", "recipe"))
    parts.append(f"Training, in {unit}: of networks {networks}; by recipes {recipes}.")
    parts.append(memory(world, jobs))
    rows = [f"| table ({unit}) | alone | saved without it | left |", "|---|---:|---:|---:|"]
    for table, *found in ranking(worlds.needed(jobs), hours):
        rows.append(f"| {table} | " + " | ".join(map(number, found)) + " |")
    return "\n\n".join([*parts, "\n".join(rows)])


def main() -> None:
    head = DOCUMENT.read_text().partition(MARK)[0]
    sections = (section(name) for name in worlds.OVERLAYS)
    DOCUMENT.write_text(head + MARK + "\n" + "\n\n".join(sections) + "\n")


if __name__ == "__main__":
    main()
