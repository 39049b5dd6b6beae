"""What a job asks Slurm for: minutes, memory and GPUs, from the work that it has.

Every retry asks for as much again, so that a job that was cut off ends the next time.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from penumbra.planning import scorers, synthesis, work
from penumbra.planning.config import resolve_recipe
from penumbra.planning.world import World

START = 5  # minutes: process start with torch, reading, a busy file system
ARRAYS_START = 2  # minutes
COMPILE = 10  # minutes
ARRAYS = 1000  # MB of a process without torch
TORCH = {"cpu": 2000, "auto": 2000, "cuda": 8000}  # MB of one with torch, before its data
WARNING = "--signal=TERM@60"  # a training is told 60 seconds before its time is over, and saves
MARGIN = 2  # between the estimate and the limit


class Load(NamedTuple):
    """Work of a job: GFLOP, and bytes that it holds at once beside its process."""

    gflop: float
    held: float
    torch: bool = True


def minutes(world: World, rule: str, wildcards: Any, attempt: int) -> int:
    """The time limit: twice the estimate, as much again for every retry, at most `longest`.

    A training that is cut off there goes on in its retry.
    """
    compute = world.config["compute"]
    load = LOADS[rule](world, wildcards)
    seconds = min(MARGIN * load.gflop / compute["gflops"], 60 * compute["longest"])
    start = START if load.torch else ARRAYS_START
    compiled = COMPILE if rule == "models" and compute["compile"] else 0
    return min(attempt * (start + compiled + math.ceil(seconds / 60)), compute["longest"])


def mem_mb(world: World, rule: str, wildcards: Any, attempt: int) -> int:
    """Main memory in MB; as much again for every retry, at most `memory`."""
    compute = world.config["compute"]
    load = LOADS[rule](world, wildcards)
    process = TORCH[compute["device"]] if load.torch else ARRAYS
    return min(attempt * math.ceil(process + load.held / 1e6), compute["memory"])


def _images(world: World, wc: Any) -> Load:
    # A part of pixels in several copies, and the list of all that the set is chosen from.
    count = work.images(world, wc.image_set)
    entry = world.image_set(wc.image_set)
    listed = work.published(world, entry["dataset"], entry["split"])
    return Load(count * 0.005 * world.config["compute"]["gflops"], 5e8 + 1000 * listed, torch=False)


def _side(world: World, wc: Any) -> int:
    return world.size(world.config["benchmarks"][wc.benchmark]["train"])


def _network(world: World, wc: Any) -> tuple[float, int]:
    return work.network(world, wc.backbone, _side(world, wc))


def _models(world: World, wc: Any) -> Load:
    train = world.config["benchmarks"][wc.benchmark]["train"]
    recipe = resolve_recipe(world.config["recipes"], wc.recipe, wc.backbone)
    held = 5 * work.bytes_of(world, train)
    found = synthesis.detector(world, wc.recipe, wc.backbone)
    if found is not None:
        held += 5 * work.outliers(world, wc.benchmark, found["set"]) * 3 * _side(world, wc) ** 2
    if recipe["method"] == "zero_shot":
        return Load(1000, held)
    gflop, _ = _network(world, wc)
    return Load(gflop * work.images(world, train) * work.training(recipe), held)


def _read(world: World, wc: Any, train: bool) -> int:
    """Images of a reading; those of one shard."""
    benchmark = world.config["benchmarks"][wc.benchmark]
    sets = [benchmark["test"], *benchmark.get("shifted", []), *world.all_ood(wc.benchmark)]
    if train:
        sets += [benchmark[role] for role in ("train", "heldout") if role in benchmark]
    return sum(work.images(world, name) for name in sets)


def _reading(world: World, wc: Any, train: bool, passes: float = 1) -> Load:
    gflop, features = _network(world, wc)
    shards = world.config["compute"]["shards"]
    count = _read(world, wc, train) / shards
    # One part of 64 MiB of images with what is read of it, in several copies.
    part = min(count, 2**26 / (3 * _side(world, wc) ** 2))
    return Load(passes * gflop * count, 5e8 + 16 * 4 * features * part)


def _outputs(world: World, wc: Any) -> Load:
    return _reading(world, wc, train=True)


def _blockwise(world: World, wc: Any) -> Load:
    train = world.config["benchmarks"][wc.benchmark]["train"]
    voters = world.config["block_selection"]["images"] or work.images(world, train)
    load = _reading(world, wc, train=False)
    gflop, _ = _network(world, wc)
    voting = voters * 3 * _side(world, wc) ** 2
    return load._replace(gflop=load.gflop + 2 * gflop * voters, held=load.held + 5 * voting)


def _arrays(world: World, wc: Any) -> Load:
    """Features and logits of the training images in double precision, a few times.

    A minute a GB of what is read, and products of all scored images with those of the fit.
    """
    train = world.config["benchmarks"][wc.benchmark]["train"]
    _, features = _network(world, wc)
    fitted, scored = work.images(world, train), _read(world, wc, train=False)
    held = fitted * features * 32
    read = (fitted + scored) * features * 32
    products = 2e-9 * min(fitted, 50_000) * scored * features
    return Load(60 * world.config["compute"]["gflops"] * read / 1e9 + products, held, torch=False)


def _fits_network(world: World, wc: Any) -> Load:
    train = world.config["benchmarks"][wc.benchmark]["train"]
    count = scorers.scorer(world, wc).get("fit", {}).get("images") or work.images(world, train)
    gflop, features = _network(world, wc)
    held = count * (3 * _side(world, wc) ** 2 + 64 * features)
    return Load(4 * gflop * count, 5e8 + held)


def _scores_network(world: World, wc: Any) -> Load:
    return _reading(world, wc, train=False, passes=work.scorer(world, wc.scorer))


def _small(world: World, wc: Any) -> Load:
    """Tables of numbers: seconds."""
    return Load(0, 1e9, torch=False)


def _gather(world: World, wc: Any) -> Load:
    """Read and written once, at 50 MB a second."""
    _, features = _network(world, wc)
    seconds = _read(world, wc, train=True) * 2 * 4 * features / 50e6
    return Load(seconds * world.config["compute"]["gflops"], 1e9, torch=False)


def _latency(world: World, wc: Any) -> Load:
    return Load(0, 1e9)


def _parts(world: World, wc: Any) -> Load:
    entry = synthesis.part(world, wc.part)
    if entry.get("training") is None:
        return Load(0, 8e9)
    count = work.images(world, entry["images"])
    passes = 3 * entry["training"]["epochs"] * count * (2 if entry["kind"] == "encoder" else 1)
    return Load(passes * work.part(world, wc.part), 5 * work.bytes_of(world, entry["images"]))


def _representations(world: World, wc: Any) -> Load:
    return Load(work.part(world, wc.part) * work.images(world, wc.image_set), 1e9)


def _per_shard(world: World, wc: Any) -> float:
    count = int(wc.shard.partition("of")[2])
    return work.outliers(world, wc.benchmark, wc.outliers) / count


def _embeddings(world: World, wc: Any) -> Load:
    train = world.config["benchmarks"][wc.benchmark]["train"]
    gflop = work.guidance(world, wc.outliers) * _per_shard(world, wc)
    return Load(gflop, 1e9 + 1024 * 8 * work.images(world, train))


def _outliers(world: World, wc: Any) -> Load:
    count = _per_shard(world, wc)
    held = 9 * work.outlier_side(world, wc.outliers) ** 2 * count
    return Load(work.decoding(world, wc.outliers) * count, 2e9 + held)


def _detected(world: World, wc: Any) -> Load:
    """A detector's outliers under a network, with their images."""
    found = synthesis.detector(world, wc.recipe, wc.backbone) or {}
    count = work.outliers(world, wc.benchmark, found["set"])
    gflop, _ = _network(world, wc)
    own = world.config["benchmarks"][wc.benchmark]
    read = [own[role] for role in ("heldout", "calibration_ood") if role in own]
    count += sum(work.images(world, name) for name in read)
    side = work.outlier_side(world, found["set"])
    return Load(gflop * count, 1e9 + 2 * 3 * side**2 * count)


def _report(world: World, wc: Any) -> Load:
    is_figure = hasattr(wc, "figure")
    return Load(0, 4e9 if is_figure else 1e9, torch=is_figure)


LOADS: dict[str, Callable[[World, Any], Load]] = {
    "images": _images,
    "models": _models,
    "outputs": _outputs,
    "blockwise": _blockwise,
    "arrays": _arrays,
    "fits_network": _fits_network,
    "scores_network": _scores_network,
    "small": _small,
    "gather": _gather,
    "latency": _latency,
    "parts": _parts,
    "representations": _representations,
    "embeddings": _embeddings,
    "outliers": _outliers,
    "detected": _detected,
    "report": _report,
}
