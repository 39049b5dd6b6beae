"""Outliers: what the rules of the synthesis chain ask of a world."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.images.classes import class_list, word_list
from penumbra.options.check import stated
from penumbra.planning import class_names
from penumbra.planning.latents import decoding
from penumbra.planning.making_parts import Parts
from penumbra.planning.networks import network
from penumbra.planning.outlier_training import check_apart, model_of, shard_files
from penumbra.planning.parts import (
    options_of,
    outlier_set,
    part,
    parts_of,
    sampled_around,
    sampler,
)
from penumbra.planning.paths import check_shard, path
from penumbra.planning.spec import spec


class Outliers(Parts):
    """The rules from `parts` to `categories`."""

    def anchors(self, names: Mapping[str, str]) -> str:
        """Representations of the training images, around which outliers are sampled.

        Raises:
            PenumbraError: the wildcards name a shard that the set has not, or its kind samples no
                embeddings.
        """
        self._check_shard(names)
        return sampled_around(self._world, names["benchmark"], names["outliers"])

    def sampler(self, names: Mapping[str, str]) -> list[str]:
        """The part that samples an outlier set's embeddings."""
        chosen = sampler(outlier_set(self._world, names["outliers"]))
        return [] if chosen is None else [path(self._world.name, "parts", part=chosen)]

    def generator(self, names: Mapping[str, str]) -> list[str]:
        """The generator of an outlier set; none where its images are given."""
        parts = parts_of(outlier_set(self._world, names["outliers"]))
        made = "generator" in parts
        return [path(self._world.name, "parts", part=parts["generator"])] if made else []

    def embeddings(self, names: Mapping[str, str]) -> list[str]:
        """The embeddings of a shard; none for a kind that makes images without.

        Raises:
            PenumbraError: the wildcards name a shard that the set has not.
        """
        self._check_shard(names)
        if sampler(outlier_set(self._world, names["outliers"])) is None:
            return []
        keys = ("benchmark", "outliers", "shard")
        return [path(self._world.name, "embeddings", **{key: names[key] for key in keys})]

    def given(self, names: Mapping[str, str]) -> list[str]:
        """The image set that outliers are taken from.

        Raises:
            PenumbraError: it may hold ID images or tested ones.
        """
        entry = outlier_set(self._world, names["outliers"])
        if entry["kind"] != "images":
            return []
        where = self._world.where("outliers", names["outliers"], "images")
        check_apart(self._world, names["benchmark"], entry["images"], where)
        return self._world.images([entry["images"]])

    def _check_shard(self, names: Mapping[str, str]) -> None:
        entry = outlier_set(self._world, names["outliers"])
        check_shard(names["shard"], entry["shards"], f"outliers.{names['outliers']}.shards")

    def embeddings_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the set's own options, compute but for sizes of batches."""
        entry = outlier_set(self._world, names["outliers"])
        compute = self._world.config["compute"]
        config = {
            "kind": entry["kind"],
            "options": self._of_kind(entry),
            "seed": entry["seed"],
            "device": compute["device"],
            "graphs": compute["graphs"],
            "threads": compute["threads"]["features"],
        }
        return spec("embeddings", config, [f"penumbra.outliers.kinds.{entry['kind']}"], names)

    def outliers_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the set's own options, the generator's, how it decodes, compute."""
        entry = outlier_set(self._world, names["outliers"])
        roots, generator = [f"penumbra.outliers.kinds.{entry['kind']}"], None
        sampled = sampler(entry) is not None
        if name := parts_of(entry).get("generator"):
            chosen = part(self._world, name)
            roots.append(f"penumbra.parts.{chosen['kind']}")
            generator = {
                "name": name,
                "kind": chosen["kind"],
                "options": chosen.get("options", {}),
                "decoding": decoding(self._world, entry, chosen),
            }
        config = {
            "kind": entry["kind"],
            # Of embeddings, what they were sampled by changes them, and is theirs alone.
            "options": {} if sampled else self._of_kind(entry),
            "generator": generator,
            "seed": entry["seed"],
            "grey": entry["grey"],
            **self._compute(entry),
        }
        if getattr(options_of(entry["kind"]), "WORDS", False):
            config["words"] = class_names.words(self._world, names["benchmark"])
        return spec("outliers", config, roots, names)

    def _of_kind(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What the kind itself reads of an outlier set."""
        own = stated(options_of(entry["kind"]).Options)
        read = {key: entry[key] for key in own if key in entry}
        if "concepts" in read:  # a list of words, which are what is read
            words = word_list(self._world.folder / "words", read["concepts"])
            read["concepts"] = [*words.values()]
        return read

    def members(self, names: Mapping[str, str]) -> list[str]:
        """All shards of an outlier set."""
        return shard_files(self._world, "outliers", names["benchmark"], names["outliers"])

    def train(self, names: Mapping[str, str]) -> str:
        """The training images that an outlier set lies around."""
        return self._world.images_of(names["benchmark"], "train")

    def reconstructions_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the generator's options, whether outliers are grey, compute."""
        entry = outlier_set(self._world, names["outliers"])
        options = part(self._world, entry["generator"]).get("options", {})
        config = {"options": options, "grey": entry["grey"], **self._compute(entry)}
        return spec("reconstructions", config, [], names)

    def told_apart(self, names: Mapping[str, str]) -> str:
        """The ID images that shortcuts are looked for in: as they are, or through the tokenizer."""
        if names["id_images"] == "images":
            return self.train(names)
        of = {key: names[key] for key in ("benchmark", "outliers")}
        return path(self._world.name, "reconstructions", **of)

    def shortcuts_spec(self, names: Mapping[str, str]) -> str:
        """Reads: nothing of the config; an edit of how they are measured reruns it."""
        return spec("shortcuts", {}, [], names)

    def recogniser(self, names: Mapping[str, str]) -> list[str]:
        """The model that sorts outliers into categories, where it is one of this workflow."""
        entry = self._world.config["categories"]
        if entry["recogniser"] != "classifier":
            return []
        return [path(self._world.name, "models", **{**model_of(names), **entry["classifier"]})]

    def categories_spec(self, names: Mapping[str, str]) -> str:
        """Reads: who recognises the classes of outliers, how many of them, and at which size."""
        world = self._world
        entry = world.config["categories"]
        config = {key: entry[key] for key in ("recogniser", "sample", "threshold")}
        config |= {"size": None, "classes": None, **self._compute()}
        roots = [f"penumbra.outliers.recognisers.{entry['recogniser']}"]
        if entry["recogniser"] == "clip":
            clip = entry["clip"]
            config["folder"] = str(Path(world.config["weights_root"]) / clip["folder"])
            config["prompt"] = clip["prompt"]
            config["words"] = class_names.words(world, names["benchmark"])
            if "classes_file" in clip:
                config["classes"] = class_list(world.folder / "classes", clip["classes_file"])
        else:
            by = {**entry["classifier"], "benchmark": names["benchmark"]}
            config["network"], root = network(world, by)
            benchmark = world.config["benchmarks"][names["benchmark"]]
            config["normalisation"] = benchmark["normalisation"]
            config["size"] = world.size(benchmark["train"])
            roots += root
        return spec("categories", config, roots, names)
