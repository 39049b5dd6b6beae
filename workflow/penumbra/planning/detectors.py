"""Files to take away: what the rule that makes a detector's asks of a world."""

from collections.abc import Mapping

from penumbra.errors import PenumbraError
from penumbra.images.prepared import way_of
from penumbra.planning import needs
from penumbra.planning.networks import float32_reader, reader
from penumbra.planning.readings import Readings
from penumbra.planning.scorers import scorer
from penumbra.planning.spec import spec
from penumbra.planning.world import World


class Detectors:
    """The rule `detectors`."""

    def __init__(self, world: World, readings: Readings):
        self._world, self._readings = world, readings

    def blocks(self, names: Mapping[str, str]) -> list[str]:
        """How the block was chosen that the scorer reads; none where it reads none or names it."""
        return self._readings.chosen(names, self._block(names))

    def images(self, names: Mapping[str, str]) -> list[str]:
        """Held-out ID images, calibration OOD images where there are some, training images.

        Raises:
            PenumbraError: the benchmark names no held-out images, the network is not described by
                the config alone, or the scorer reads two models.
        """
        where = f"benchmarks.{names['benchmark']}"
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        if "heldout" not in benchmark:
            raise PenumbraError(
                f"{where}: a detector's threshold is set on held-out ID images, and the benchmark "
                "names none; name an image set that no model was trained on as its `heldout`"
            )
        if "folder" in self._world.backbone(names["backbone"])["options"]:
            raise PenumbraError(
                f"backbones.{names['backbone']}: its network is described by a folder of published "
                "files, which a detector's file does not carry; take another backbone's model"
            )
        if needs.second(scorer(self._world, names)):
            raise PenumbraError(
                f"scorer {names['scorer']}: it reads two models, and a detector's file carries "
                "one; take another scorer"
            )
        roles = ("heldout", "calibration_ood", "train")
        return self._world.images(benchmark[role] for role in roles if role in benchmark)

    def spec(self, names: Mapping[str, str]) -> str:
        """Reads: the network, the scorer, the image sets that set its threshold, compute."""
        world = self._world
        entry = scorer(world, names)
        read = float32_reader if needs.of_network(needs.needs(entry)) else reader
        config, roots = read(world, names)
        benchmark = world.config["benchmarks"][names["benchmark"]]
        train = benchmark["train"]
        config |= {
            "world": world.name,
            "scorer": {
                "name": names["scorer"],
                "module": entry["module"],
                "options": entry.get("options", {}),
                "needs": needs.needs(entry),
                "fitted": needs.fit_role(entry) if needs.fit_needs(entry) else "",
                **({"learned": True} if needs.learned(entry) else {}),
            },
            "block": self._block(names),
            "train": train,
            "heldout": benchmark["heldout"],
            "calibration_ood": benchmark.get("calibration_ood"),
            "shifted": [],
            "size": world.size(train),
            "square": way_of(world.datasets[world.image_set(train)["dataset"]]),
        }
        return spec("detectors", config, [*roots, f"penumbra.scores.{entry['module']}"], names)

    def _block(self, names: Mapping[str, str]) -> str:
        entry = scorer(self._world, names)
        return str(entry["block"]) if needs.of_block(needs.needs(entry)) else ""
