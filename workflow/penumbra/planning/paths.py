"""Where every artifact lies: results/<world>/<stage>/…"""

import re
from collections.abc import Iterable

from penumbra.errors import PenumbraError
from penumbra.store.seals import RECORD

CLEAN = "clean"  # the input without a map

MODEL = "{benchmark}/{backbone}/{recipe}/seed{seed}"
READING = MODEL + "/{input}"

TEMPLATES = {
    "images": "images/{image_set}.parquet",
    "models": f"models/{MODEL}/model.safetensors",
    "history": f"models/{MODEL}/history.parquet",
    "training-run": f"models/{MODEL}/model.safetensors{RECORD}",
    "parts": "parts/{part}/model.safetensors",
    "representations": "representations/{part}/{image_set}.parquet",
    "embeddings": "embeddings/{benchmark}/{outliers}/{shard}.parquet",
    "outliers": "outliers/{benchmark}/{outliers}/{shard}.parquet",
    "reconstructions": "reconstructions/{benchmark}/{outliers}.parquet",
    "shortcuts": "shortcuts/{benchmark}/{outliers}/{id_images}.parquet",
    "energies": f"energies/{MODEL}.parquet",
    "calibrations": f"calibrations/{MODEL}/{{calibration}}.parquet",
    "selections": f"selections/{MODEL}.parquet",
    "categories": f"categories/{MODEL}.parquet",
    "outputs": f"outputs/{READING}.parquet",
    "statistics": f"statistics/{READING}/{{block}}.parquet",
    "blocks": "blocks/{benchmark}/{backbone}/{recipe}.parquet",
    "outputs-shard": f"shards/outputs/{READING}/{{shard}}.parquet",
    "statistics-shard": f"shards/statistics/{READING}/{{block}}/{{shard}}.parquet",
    "scores-shard": f"shards/scores/{READING}/{{scorer}}/{{shard}}.parquet",
    "fits": f"fits/{READING}/{{scorer}}.safetensors",
    "scores": f"scores/{READING}/{{scorer}}.parquet",
    "detectors": f"detectors/{READING}/{{scorer}}.safetensors",
    "metrics": f"metrics/{READING}.parquet",
    "accuracy": f"accuracy/{READING}.parquet",
    "theory": f"theory/{READING}.parquet",
    "latency": f"latency/{READING}/{{scorer}}.parquet",
    "tables": "tables/{table}.parquet",
    "figures": "figures/{figure}.png",
}


def path(world: str, kind: str, **wildcards: object) -> str:
    """The path of one artifact, relative to the project."""
    return f"results/{world}/" + TEMPLATES[kind].format(**wildcards)


def wildcards(kind: str, path: str) -> dict[str, str] | None:
    """What `path` was given to make this path, `world` among it; None for paths of other kinds."""
    template = re.escape("results/{world}/" + TEMPLATES[kind])
    match = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", template), path)
    return match and match.groupdict()


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint: exactly one of the names; nothing at all where there are none."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def shard_names(count: int) -> list[str]:
    """Names of so many shards, in order."""
    return [f"{i}of{count}" for i in range(count)]


def check_shard(shard: str | None, count: int, where: str) -> None:
    """Refuse the name of a shard that is not one of so many; None is the whole.

    Raises:
        PenumbraError: says which there are, and which key makes them.
    """
    valid = shard_names(count)
    if shard is not None and shard not in valid:
        told = valid[0] if count == 1 else f"{valid[0]} to {valid[-1]}"
        raise PenumbraError(f"there is no shard {shard}; {where} makes {told}")
