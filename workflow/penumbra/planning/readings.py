"""Readings of models: what the rules that read them ask of a world, and their shards."""

from collections.abc import Mapping

from penumbra.planning.config import resolve_recipe
from penumbra.planning.networks import float32_reader, image_roles, reader
from penumbra.planning.outlier_training import trained
from penumbra.planning.paths import CLEAN, TEMPLATES, check_shard, path, shard_names
from penumbra.planning.spec import spec
from penumbra.planning.world import World

SHARDED = ("outputs", "statistics", "scores")  # what jobs of shards make
SELECTED = "selected"  # in place of a block's name: the one that norm ratios choose


class Readings:
    """The rules `outputs`, `blocks`, `statistics`, `accuracy` and `theory`."""

    def __init__(self, world: World):
        self._world = world

    def model(self, names: Mapping[str, str]) -> str:
        """The checkpoint of the model that is read.

        Raises:
            PenumbraError: the wildcards name a shard of a reading that this world does not make.
        """
        count = self._world.config["compute"]["shards"]
        check_shard(names.get("shard"), count, "compute.shards")
        return path(self._world.name, "models", **trained(self._world, names))

    def map(self, names: Mapping[str, str]) -> list[str]:
        """The checkpoint whose map is added to the input: none for clean inputs.

        Raises:
            PenumbraError: there is no such recipe.
        """
        if names["input"] == CLEAN:
            return []
        recipe = names["input"].removeprefix("map-")
        resolve_recipe(self._world.config["recipes"], recipe, names["backbone"])
        learned = {**trained(self._world, names), "recipe": recipe}
        return [path(self._world.name, "models", **learned)]

    def voter(self, names: Mapping[str, str]) -> str:
        """The checkpoint that chooses a recipe's block: that of the first seed."""
        return path(self._world.name, "models", **names, seed=self._world.config["seeds"][0])

    def voters(self, names: Mapping[str, str]) -> str:
        """The training images that choose it."""
        return self._world.images_of(names["benchmark"], "train")

    def blocks(self, names: Mapping[str, str]) -> list[str]:
        """How the block was chosen that is read: none where the config names one."""
        return self.chosen(names, names["block"])

    def chosen(self, names: Mapping[str, str], block: str) -> list[str]:
        """The same for a scorer's block; once for all seeds, so that one more moves none."""
        if block != SELECTED:
            return []
        of = {**names, "benchmark": self._world.trained_on(names["benchmark"])}
        return [path(self._world.name, "blocks", **of)]

    def images(self, names: Mapping[str, str]) -> list[str]:
        """Training, test, shifted and OOD images."""
        roles = image_roles(self._world, names["benchmark"])
        sets = [roles["train"], roles["test"], *roles["shifted"], *roles["ood"]]
        return self._world.images(sets)

    def all_images(self, names: Mapping[str, str]) -> list[str]:
        """The same, and held-out images where the benchmark names some."""
        heldout = self._world.config["benchmarks"][names["benchmark"]].get("heldout")
        return self.images(names) + self._world.images([heldout] if heldout else [])

    def outputs_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, normalisation, image sets of the benchmark, compute."""
        config, roots = reader(self._world, names)
        config |= image_roles(self._world, names["benchmark"])
        config["heldout"] = self._world.config["benchmarks"][names["benchmark"]].get("heldout")
        return spec("outputs", config, roots, names)

    def blocks_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, normalisation, compute, how many images choose the block."""
        config, roots = float32_reader(self._world, names)
        config["images"] = self._world.config["block_selection"]["images"]
        return spec("blocks", config, roots, names)

    def statistics_spec(self, names: Mapping[str, str]) -> str:
        """Reads: as `outputs`, but held-out images."""
        config, roots = reader(self._world, names)
        config |= image_roles(self._world, names["benchmark"])
        return spec("statistics", config, roots, names)

    def accuracy_spec(self, names: Mapping[str, str]) -> str:
        """Reads: nothing."""
        return spec("accuracy", {}, [], names)

    def theory_spec(self, names: Mapping[str, str]) -> str:
        """Reads: nothing."""
        return spec("theory", {}, [], names)


class Shards:
    """Large readings as many jobs, and one that puts their rows together."""

    def __init__(self, world: World):
        self._world = world
        self.count: int = world.config["compute"]["shards"]
        self.kinds: tuple[str, ...] = SHARDED if self.count > 1 else ()

    def rule(self, name: str) -> str:
        """The name of a reading rule: a shard is no small job, so that profiles do not group it."""
        return f"{name}_shard" if self.kinds else name

    def made(self, kind: str) -> str:
        """The pattern of what a reading job writes: a shard, or the whole."""
        return self._world.results(TEMPLATES[self._of_job(kind)])

    def log(self, kind: str) -> str:
        """The log of that job."""
        return self._world.logs(_log(self._of_job(kind)))

    def whole(self, kind: str) -> str:
        """The pattern of what shards are put together to."""
        return self._world.results(TEMPLATES[kind])

    def gather_log(self, kind: str) -> str:
        """The log of the job that puts shards of a kind together."""
        return self._world.logs(f"gather/{_log(kind)}")

    def parts(self, kind: str, names: Mapping[str, str]) -> list[str]:
        """The shards of one artifact, in order."""
        given = dict(names.items())
        return [
            path(self._world.name, f"{kind}-shard", **{**given, "shard": shard})
            for shard in shard_names(self.count)
        ]

    def spec(self, kind: str, names: Mapping[str, str]) -> str:
        """Reads: nothing."""
        return spec("gather", {}, [], names)

    def _of_job(self, kind: str) -> str:
        return f"{kind}-shard" if kind in self.kinds else kind


def _log(kind: str) -> str:
    return TEMPLATES[kind].removeprefix("shards/").removesuffix(".parquet") + ".log"
