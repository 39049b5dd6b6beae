"""Readings of large image sets in shards: as many jobs, and one that puts their rows together."""

from typing import Any

from penumbra.planning.paths import TEMPLATES, path
from penumbra.planning.specs import spec
from penumbra.planning.world import World

# What a sharded job makes: rows of its images, or the same in every shard.
ROWS = ("outputs", "statistics", "scores")
SAME = ("blocks",)


def gathered(world: World) -> tuple[str, ...]:
    """The kinds of artifacts that are put together of shards in this world."""
    return (*ROWS, *SAME) if world.config["compute"]["shards"] > 1 else ()


def made(world: World, kind: str) -> str:
    """The pattern of what a reading job writes: a shard, or the whole."""
    return world.results(TEMPLATES[_kind(world, kind)])


def whole(world: World, kind: str) -> str:
    """The pattern of what shards are put together to."""
    return world.results(TEMPLATES[kind])


def job(world: World, rule: str) -> str:
    """The name of a reading rule: a shard is no small job, so that profiles do not group it."""
    return f"{rule}_shard" if gathered(world) else rule


def log(world: World, kind: str) -> str:
    """The log of that job."""
    return world.logs(_log(_kind(world, kind)))


def gather_log(world: World, kind: str) -> str:
    """The log of the job that puts shards of a kind together."""
    return world.logs(f"gather/{_log(kind)}")


def _log(kind: str) -> str:
    return TEMPLATES[kind].removeprefix("shards/").removesuffix(".parquet") + ".log"


def shards(world: World, kind: str, wc: Any) -> list[str]:
    """The shards of one artifact, in order."""
    count = world.config["compute"]["shards"]
    names = (f"{i}of{count}" for i in range(count))
    return [path(world.name, f"{kind}-shard", **{**dict(wc.items()), "shard": s}) for s in names]


def gather(world: World, kind: str, wc: Any) -> str:
    """The one param of the rule that puts shards together; reads: whether all hold the same."""
    return spec("gather", {"same": kind in SAME}, [], wc)


def _kind(world: World, kind: str) -> str:
    return f"{kind}-shard" if kind in gathered(world) else kind
