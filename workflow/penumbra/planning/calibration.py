"""Calibration: what the rules from a detector's energies to kept outliers ask of a world."""

from collections.abc import Mapping

from penumbra.errors import PenumbraError
from penumbra.planning.networks import reader
from penumbra.planning.outlier_training import detector, model_of, outliers
from penumbra.planning.paths import path
from penumbra.planning.spec import spec
from penumbra.planning.world import World


class Calibration:
    """The rules `energies`, `calibrations` and `selections`."""

    def __init__(self, world: World):
        self._world = world

    def images(self, names: Mapping[str, str]) -> list[str]:
        """Held-out ID and calibration OOD images of a benchmark.

        Raises:
            PenumbraError: the benchmark names none.
        """
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        for key in ("heldout", "calibration_ood"):
            if key not in benchmark:
                raise PenumbraError(
                    f"benchmarks.{names['benchmark']}: a calibrated detector needs `{key}`"
                )
        return self._world.images(benchmark[key] for key in ("heldout", "calibration_ood"))

    def outliers(self, names: Mapping[str, str]) -> list[str]:
        """The outliers that a detector is trained on.

        Raises:
            PenumbraError: the recipe is no detector's.
        """
        if detector(self._world, names["recipe"], names["backbone"]) is None:
            raise PenumbraError(
                f"recipe {names['recipe']} trains without outliers, so that there is nothing to "
                "calibrate or to filter; ask for a recipe of the method energy"
            )
        return outliers(self._world, names)

    def energies_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, normalisation, the image sets that calibrate, compute."""
        config, roots = reader(self._world, names)
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        config |= {
            "heldout": benchmark["heldout"],
            "calibration_ood": benchmark["calibration_ood"],
            "outliers": (detector(self._world, names["recipe"]) or {})["set"],
        }
        return spec("energies", config, roots, names)

    def calibrations_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the calibration."""
        entry = self._world.config["calibrations"][names["calibration"]]
        return spec("calibrations", entry, [f"penumbra.calibration.maps.{entry['module']}"], names)

    def scored(self, names: Mapping[str, str]) -> list[str]:
        """What a filter reads: the judges' calibrated scores, or the outliers' names alone.

        Raises:
            PenumbraError: the recipe is no detector's, or has no filter.
        """
        own = self.outliers(names)
        outlier_options = detector(self._world, names["recipe"], names["backbone"]) or {}
        if outlier_options.get("filter") is None:
            raise PenumbraError(
                f"recipe {names['recipe']} keeps all outliers: it has no filter, and so no "
                "selection"
            )
        judged = [
            path(
                self._world.name,
                "calibrations",
                **{**model_of(names), "recipe": judge},
                calibration=outlier_options["calibration"],
            )
            for judge in (outlier_options.get("judges") or [])
        ]
        return judged or own

    def selections_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the filter, and the fold that each judge did not train on."""
        world = self._world
        outlier_options = detector(world, names["recipe"], names["backbone"]) or {}
        judges = outlier_options.get("judges") or []
        config = {
            "filter": outlier_options["filter"],
            "options": world.config["filters"][outlier_options["filter"]],
            "judges": {judge: (detector(world, judge) or {}).get("fold") for judge in judges},
            "outliers": outlier_options["set"],
        }
        return spec("selections", config, [], names)
