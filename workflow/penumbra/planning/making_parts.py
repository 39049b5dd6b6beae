"""Parts: what the rules that make and apply generative parts ask of a world."""

from collections.abc import Mapping
from typing import Any

from penumbra.images.classes import class_list
from penumbra.images.entries import LISTED
from penumbra.planning import class_names
from penumbra.planning.parts import OF_CLASSES, part, representations, roles, weights_files
from penumbra.planning.paths import path
from penumbra.planning.spec import spec
from penumbra.planning.world import World


class Parts:
    """The rules `parts` and `representations`."""

    def __init__(self, world: World):
        self._world = world

    def weights(self, names: Mapping[str, str]) -> list[str]:
        """The published files that a part is loaded from; none for one that is trained here."""
        entry = part(self._world, names["part"])
        files = [] if _is_trained(entry) else weights_files(self._world, entry)
        return [str(file) for file in files]

    def images(self, names: Mapping[str, str]) -> list[str]:
        """The images that a part is trained on."""
        entry = part(self._world, names["part"])
        return self._world.images([entry["images"]]) if _is_trained(entry) else []

    def encoder(self, names: Mapping[str, str]) -> list[str]:
        """The encoder that a part is used with; of a loaded one it is compared."""
        return self._used(names, "encoder")

    def tokenizer(self, names: Mapping[str, str]) -> list[str]:
        """The tokenizer that a part is used with."""
        return self._used(names, "tokenizer")

    def autoencoder(self, names: Mapping[str, str]) -> list[str]:
        """The first stage that a part is used with."""
        return self._used(names, "autoencoder")

    def stable_diffusion(self, names: Mapping[str, str]) -> list[str]:
        """The Stable Diffusion in whose table of tokens a part finds words."""
        return self._used(names, "stable_diffusion")

    def _used(self, names: Mapping[str, str], role: str) -> list[str]:
        entry = part(self._world, names["part"])
        used = role in roles(entry)
        return [path(self._world.name, "parts", part=entry[role])] if used else []

    def representations(self, names: Mapping[str, str]) -> list[str]:
        """Its encoder's representations of the images that a part is trained on."""
        entry = part(self._world, names["part"])
        if not _is_trained(entry) or "encoder" not in roles(entry):
            return []
        return [representations(self._world, entry["encoder"], entry["images"])]

    def parts_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the part's config, compute; its batch size where other parts encode the images."""
        entry = part(self._world, names["part"])
        compute = self._world.config["compute"]
        config = {
            "kind": entry["kind"],
            "options": entry.get("options", {}),
            "training": entry.get("training"),
            "classes": class_list(self._world.folder / "classes", entry.get("classes_file")),
            "uses": {role: self._named(entry[role]) for role in roles(entry)},
            "device": compute["device"],
            "batch_size": compute["batch_size"] if _encodes(entry) else 0,
            "threads": compute["threads"]["models"],
        }
        roots = [f"penumbra.parts.{entry['kind']}"]
        if entry["kind"] in OF_CLASSES and _is_trained(entry):
            config |= self._of_classes(entry)
            roots += ["penumbra.training.methods.standard"]
            roots += ["penumbra.training.streaming"] if config["streams"] else []
        return spec("parts", config, roots, names)

    def _of_classes(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What is read where a part is trained as classifiers are."""
        compute = self._world.config["compute"]
        listed = self._world.image_set(entry["images"]).get("stored") == LISTED
        how = {key: compute[key] for key in ("channels_last", "compile", "graphs")}
        words = class_names.words_of(self._world, entry["images"])
        return {"words": words, "streams": listed, **how}

    def _named(self, name: str) -> dict[str, Any]:
        return {"name": name, "options": part(self._world, name).get("options", {})}

    def representations_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the encoder's options, compute."""
        entry = part(self._world, names["part"])
        precision = self._world.config["compute"]["precision"]["representations"]
        config = {"options": entry.get("options", {}), "precision": precision, **self._compute()}
        config["kind"] = entry["kind"]
        roots = [f"penumbra.networks.encoders.{entry['kind']}"]
        return spec("representations", config, roots, names)

    def _compute(self, entry: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """How a job runs; of an outlier set, with a batch size of its own where it has one."""
        compute = self._world.config["compute"]
        return {
            "batch_size": (entry or {}).get("batch_size") or compute["batch_size"],
            "device": compute["device"],
            "threads": compute["threads"]["features"],
        }


def _is_trained(entry: Mapping[str, Any]) -> bool:
    return entry.get("weights") is None


def _encodes(entry: Mapping[str, Any]) -> bool:
    """Whether a part is trained on what a tokenizer or a first stage makes of images."""
    return _is_trained(entry) and not {"tokenizer", "autoencoder"}.isdisjoint(roles(entry))
