"""Published weights: which ones a world names, for which tables and figures; what lies there."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.networks.loading.clip_files import CONFIG, holds_clip
from penumbra.options.weights import Published
from penumbra.planning.config import resolve_recipe
from penumbra.planning.networks import given_files
from penumbra.planning.outlier_training import detector
from penumbra.planning.parts import lacking_weights, outlier_set, part, parts_of, used
from penumbra.planning.world import World
from penumbra.planning.yaml_files import load_yaml
from penumbra.store.files import sha256

FILE = "weights.yaml"
IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$")  # as torch.hub has them


@dataclass(frozen=True)
class Wanted:
    """A file or folder of published weights below weights_root, `name`, which lies at `place`.

    `keys` are those of the config that name it, `reports` the tables and figures that want it,
    `known` is what is stated of it, None where nothing is; `lacking` are files that a part misses.
    """

    name: str
    place: Path
    keys: tuple[str, ...]
    reports: tuple[str, ...]
    known: Published | None
    lacking: tuple[Path, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether it lies in its place; of a pipeline's folder, whether none of its files lacks."""
        return self.size > 0 and not self.lacking

    @property
    def size(self) -> int:
        """Bytes of what lies there."""
        files = self.place.rglob("*") if self.place.is_dir() else [self.place]
        return sum(file.stat().st_size for file in files if file.is_file())

    @property
    def digest(self) -> str | None:
        """The beginning of its SHA-256, where its name states it."""
        stated = IN_NAME.search(self.name)
        return stated and stated[1]

    def check(self) -> None:
        """Refuse a file that is not the one that its name states.

        Raises:
            PenumbraError: its digest is another, it is empty, or a folder lies in the place of a
                file, or a file in that of a folder.
        """
        if self.place.is_dir() and self.place in self.lacking:
            raise PenumbraError(f"{self.place}: is a folder; put the published file in its place")
        if self.place.is_file() and self.lacking:
            raise PenumbraError(f"{self.place}: is a file; put the published folder in its place")
        if self.place.is_file() and not self.size:
            raise PenumbraError(f"{self.place}: is empty; get it again")
        if self.digest and self.place.is_file():
            digest = sha256(self.place)
            if not digest.startswith(self.digest):
                raise PenumbraError(
                    f"{self.place}: its SHA-256 begins {digest[: len(self.digest)]}, and its name "
                    f"says {self.digest}; it is damaged, or another file: get it again"
                )


def wanted(world: World) -> list[Wanted]:
    """All that the parts of a world name, and what its tables and figures want beside them."""
    known = stated(world.folder)
    keys: dict[str, list[str]] = defaultdict(list)
    reports: dict[str, list[str]] = defaultdict(list)
    for name in world.config["parts"]:
        for weights in _of_part(world, name):
            keys[weights].append(f"parts.{name}")
    for report in (*world.config["tables"], *world.config["figures"]):
        named = sorted(set(_of_report(world, report)))
        for weights in {weights for weights, _ in named}:
            reports[weights].append(report)
        for weights, key in named:
            keys[weights] += [] if key in keys[weights] else [key]
    root = Path(world.config["weights_root"])
    return [
        Wanted(
            name,
            root / name,
            tuple(keys[name]),
            tuple(reports[name]),
            known.get(name),
            tuple(_lacking(world, root / name, keys[name][0])),
        )
        for name in sorted(keys)
    ]


def stated(folder: Path) -> dict[str, Published]:
    """What weights.yaml of a folder of config states, by place below weights_root.

    Raises:
        PenumbraError: an entry lacks something, or says what is not known.
    """
    return {name: Published.of(entry) for name, entry in load_yaml(folder / FILE).items()}


def _lacking(world: World, place: Path, key: str) -> list[Path]:
    """The files that are not there, of what a key of the config names."""
    if key.startswith("parts."):
        return lacking_weights(world, part(world, key.removeprefix("parts.")))
    if key.endswith(".folder"):
        return [] if holds_clip(place) else [place / CONFIG]
    return [] if place.is_file() else [place]


def _of_part(world: World, name: str) -> Iterator[str]:
    """What one part is loaded from; nothing where it is trained here."""
    weights = part(world, name).get("weights")
    yield from [] if weights is None else [weights]


def _of_report(world: World, report: str) -> Iterator[tuple[str, str]]:
    """What a table or figure wants, with the key of the config that names it."""
    text = world.table(report)
    sets = set(_named(text, "outliers"))
    for recipe in {*_named(text, "recipe"), *_named(text, "map_of")} & world.config[
        "recipes"
    ].keys():
        sets |= {outlier_options["set"]} if (outlier_options := detector(world, recipe)) else set()
        if resolve_recipe(world.config["recipes"], recipe, "")["method"] == "pretrained":
            for key, file in given_files(world, recipe, "").items():
                yield _below(world, file), f"recipes.{recipe}.pretrained.{key}"
    for name in sorted(sets & world.config["outliers"].keys()):
        for made_by in used(world, parts_of(outlier_set(world, name)).values()):
            yield from ((weights, f"parts.{made_by}") for weights in _of_part(world, made_by))
    for backbone in _named(text, "backbone"):
        folder = world.config["backbones"].get(backbone, {}).get("options", {}).get("folder")
        if folder:
            yield folder, f"backbones.{backbone}.options.folder"
    if _sorts(text) and world.config["categories"]["recogniser"] == "clip":
        yield world.config["categories"]["clip"]["folder"], "categories.clip.folder"


def _named(node: Any, key: str) -> Iterator[str]:
    """The texts that stand under a key anywhere in a table or figure."""
    if isinstance(node, Mapping):
        value = node.get(key)
        yield from [value] if isinstance(value, str) else []
    inner = node.values() if isinstance(node, Mapping) else node
    if isinstance(inner, Iterable) and not isinstance(inner, str):
        for each in inner:
            yield from _named(each, key)


def _sorts(text: Mapping[str, Any]) -> bool:
    """Whether a table or figure shows categories of outliers."""
    columns: Sequence[Mapping[str, Any]] = text.get("columns", [])
    metrics = {metric for column in columns for metric in column.get("metrics", [])}
    kinds = set(_named(text.get("inputs", {}), "kind"))
    return "categories" in kinds or any(
        name in METRICS and METRICS[name].artifact == "categories" for name in metrics
    )


def _below(world: World, file: str) -> str:
    """A file below weights_root as it is named there; others as they are."""
    root, path = Path(world.config["weights_root"]), Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
