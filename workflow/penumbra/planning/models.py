"""Models: what the rules that make them ask of a world."""

from collections.abc import Mapping
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.networks.loading.clip_files import holds_clip, normalised
from penumbra.planning import outlier_training
from penumbra.planning.class_names import words
from penumbra.planning.config import extended, resolve_recipe
from penumbra.planning.networks import given_files, network
from penumbra.planning.options_of_models import UNTRAINED
from penumbra.planning.paths import one_of, path
from penumbra.planning.scorers import method_of
from penumbra.planning.spec import spec
from penumbra.planning.world import OF_CLIP, World


class Models:
    """The rules `models`, `zero_shot` and `pretrained`."""

    def __init__(self, world: World):
        self._world = world

    def recipes(self, untrained: str | None = None) -> str:
        """A wildcard constraint: recipes of a method that trains nothing, or those that train."""
        recipes = self._world.config["recipes"]
        methods = {name: extended("recipe", recipes, name).get("method") for name in recipes}
        wanted = {untrained} if untrained else {*methods.values()} - {*UNTRAINED}
        return one_of(name for name, method in methods.items() if method in wanted)

    def train(self, names: Mapping[str, str]) -> str:
        """The training images; for a detector whose recipe says so, their reconstructions.

        Raises:
            PenumbraError: the wildcards name a seed with leading zeros, as another name of its
                models.
        """
        seed = names.get("seed", "0")
        if seed != "0" and seed.startswith("0"):
            raise PenumbraError(
                f"seed{seed}: write seed{seed.lstrip('0') or '0'}, without zeros before"
            )
        chosen = outlier_training.detector(self._world, names["recipe"], names["backbone"]) or {}
        if chosen.get("reconstruct_id"):
            of = {"benchmark": names["benchmark"], "outliers": chosen["set"]}
            return path(self._world.name, "reconstructions", **of)
        return self._world.images_of(names["benchmark"], "train")

    def outliers(self, names: Mapping[str, str]) -> list[str]:
        """The shards of the outlier set, or the image set, that a detector trains on."""
        return outlier_training.outliers(self._world, names)

    def selection(self, names: Mapping[str, str]) -> list[str]:
        """Which of its outliers a filtered detector keeps."""
        outlier_options = (
            outlier_training.detector(self._world, names["recipe"], names["backbone"]) or {}
        )
        if outlier_options.get("filter") is None:
            return []
        return [path(self._world.name, "selections", **outlier_training.model_of(names))]

    def spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, resolved recipe, normalisation, compute; which outliers it trains on."""
        world = self._world
        backbone, roots = network(world, names)
        recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
        recipe.pop("head", None)  # it is in the backbone
        outliers = recipe.pop("outliers", None) if recipe["method"] == "energy" else None
        against = outliers and {"set": outliers["set"], "fold": outliers.get("fold")}
        if given := outlier_training.exposure(world, names["recipe"], names["backbone"]):
            against = {"images": given}
        compute = world.config["compute"]
        config = {
            "backbone": backbone,
            "recipe": recipe,
            "outliers": against,
            "normalisation": world.config["benchmarks"][names["benchmark"]]["normalisation"],
            **{key: compute[key] for key in ("device", "channels_last", "compile", "graphs")},
            "threads": compute["threads"]["models"],
            "streams": outlier_training.streams(world, names),
        }
        if recipe["method"] in OF_CLIP:
            config["words"] = words(world, names["benchmark"])
        roots += [f"penumbra.training.methods.{recipe['method']}"]
        roots += ["penumbra.training.pool"] if outliers else []
        roots += ["penumbra.training.streaming"] if config["streams"] else []
        return spec("models", config, roots, names)

    def zero_shot_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, the prompt, compute."""
        world = self._world
        backbone, roots = network(world, names)
        recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
        compute = world.config["compute"]
        config = {
            "backbone": backbone,
            "recipe": {"options": recipe["options"]},
            "words": words(world, names["benchmark"]),
            "device": compute["device"],
            "threads": compute["threads"]["models"],
        }
        return spec("zero_shot", config, roots, names)

    def pretrained_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, normalisation, threads, and the name of the network as it is given."""
        world = self._world
        backbone, roots = network(world, names)
        config = {
            "backbone": backbone,
            "network": world.config["backbones"][names["backbone"]]["network"],
            "normalisation": world.config["benchmarks"][names["benchmark"]]["normalisation"],
            "threads": world.config["compute"]["threads"]["models"],
        }
        return spec("pretrained", config, roots, names)

    def weights(self, names: Mapping[str, str]) -> str:
        """The file of a given model's weights."""
        return given_files(self._world, names["recipe"], names["backbone"])["weights"]

    def classes(self, names: Mapping[str, str]) -> list[str]:
        """The file that says in which order a given model's logits are, where its recipe does."""
        files = given_files(self._world, names["recipe"], names["backbone"])
        return [files["classes"]] if "classes" in files else []

    def prompted(self, names: Mapping[str, str]) -> list[str]:
        """The files of the CLIP that a training learns prompts for; none for others."""
        return self.clip(names) if method_of(self._world, names) in OF_CLIP else []

    def clip(self, names: Mapping[str, str]) -> list[str]:
        """The files of the CLIP of a classifier out of CLIP.

        Raises:
            PenumbraError: the backbone has no such folder, or it does not say how CLIP's images are
                normalised.
        """
        folder = Path(network(self._world, {"backbone": names["backbone"]})[0].get("folder", ""))
        if not holds_clip(folder):
            raise PenumbraError(
                f"backbones.{names['backbone']}: {folder} holds no CLIP for the recipe "
                f"{names['recipe']}; save one there with transformers' save_pretrained(), or let "
                "its rows be left out: `missing: omit` beside its `options`"
            )
        normalised(folder)
        return sorted(str(file) for file in folder.iterdir() if file.is_file())
