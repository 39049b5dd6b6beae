"""Readings of large image sets in shards: as many jobs, and one that puts their rows together."""

from typing import Any

from penumbra.planning.paths import TEMPLATES, path, pattern
from penumbra.planning.specs import spec
from penumbra.planning.world import World

# What a sharded job makes: rows of its images, or the same in every shard.
ROWS = ("outputs", "norms", "channels", "scores")
SAME = ("blocks", "channels-blocks")


def gathered(world: World) -> tuple[str, ...]:
    """The kinds of artifacts that are put together of shards in this world."""
    return (*ROWS, *SAME) if world.config["compute"]["shards"] > 1 else ()


def made(world: World, kind: str) -> str:
    """The pattern of what a reading job writes: a shard, or the whole."""
    return pattern(world.name, _kind(world, kind))


def job(world: World, rule: str) -> str:
    """The name of a reading rule: a shard is no small job, so that profiles do not group it."""
    return f"{rule}_shard" if gathered(world) else rule


def log(world: World, kind: str) -> str:
    """The log of that job."""
    return _log(_kind(world, kind))


def gather_log(kind: str) -> str:
    """The log of the job that puts shards of a kind together."""
    return f"logs/gather/{_log(kind).removeprefix('logs/')}"


def _log(kind: str) -> str:
    return "logs/" + TEMPLATES[kind].removeprefix("shards/").removesuffix(".parquet") + ".log"


def shards(world: World, kind: str, wc: Any) -> list[str]:
    """The shards of one artifact, in order."""
    given = dict(wc.items())
    return [path(world.name, f"{kind}-shard", **{**given, "shard": s}) for s in names(world)]


def names(world: World) -> list[str]:
    """Names of the shards of a reading, in order."""
    count = world.config["compute"]["shards"]
    return [f"{i}of{count}" for i in range(count)]


def gather(world: World, kind: str, wc: Any) -> str:
    """The one param of the rule that puts shards together; reads: whether all hold the same."""
    return spec("gather", {"same": kind in SAME}, [], wc)


def _kind(world: World, kind: str) -> str:
    return f"{kind}-shard" if kind in gathered(world) else kind
