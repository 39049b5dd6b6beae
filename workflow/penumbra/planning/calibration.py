"""Calibration: what the rules from a classifier's energies to kept outliers ask of a world."""

from collections.abc import Mapping

from penumbra.errors import PenumbraError
from penumbra.planning.networks import reader
from penumbra.planning.options_of_models import UNLABELLED
from penumbra.planning.outlier_training import detector, model_of, outliers
from penumbra.planning.paths import path
from penumbra.planning.scorers import method_of
from penumbra.planning.spec import spec
from penumbra.planning.world import World


class Calibration:
    """The rules `energies`, `calibrations` and `selections`."""

    def __init__(self, world: World):
        self._world = world

    def images(self, names: Mapping[str, str]) -> list[str]:
        """Held-out ID and calibration OOD images of a benchmark.

        Raises:
            PenumbraError: the benchmark names none, or the recipe trains no classifier.
        """
        if method_of(self._world, names) in UNLABELLED:
            raise PenumbraError(
                f"recipe {names['recipe']} trains without labels, for features alone, of which "
                "there is no energy to calibrate; ask for a recipe that trains a classifier"
            )
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        for key in ("heldout", "calibration_ood"):
            if key not in benchmark:
                raise PenumbraError(
                    f"benchmarks.{names['benchmark']}: a calibrated model needs `{key}`"
                )
        return self._world.images(benchmark[key] for key in ("heldout", "calibration_ood"))

    def outliers(self, names: Mapping[str, str]) -> list[str]:
        """The outlier set that a detector is trained on; none for another model."""
        if detector(self._world, names["recipe"], names["backbone"]) is None:
            return []
        return outliers(self._world, names)

    def energies_spec(self, names: Mapping[str, str]) -> str:
        """Reads: backbone, normalisation, the image sets that calibrate, compute."""
        config, roots = reader(self._world, names)
        benchmark = self._world.config["benchmarks"][names["benchmark"]]
        chosen = detector(self._world, names["recipe"], names["backbone"])
        config |= {
            "heldout": benchmark["heldout"],
            "calibration_ood": benchmark["calibration_ood"],
            "outliers": chosen and chosen["set"],
        }
        return spec("energies", config, roots, names)

    def calibrations_spec(self, names: Mapping[str, str]) -> str:
        """Reads: the calibration.

        Raises:
            PenumbraError: it maps what the model has not.
        """
        entry = self._world.config["calibrations"][names["calibration"]]
        if entry["input"] == "sigmoid_phi" and method_of(self._world, names) != "energy":
            raise PenumbraError(
                f"calibrations.{names['calibration']}: its input is phi, which recipe "
                f"{names['recipe']} does not train; name a calibration of the energy, or a recipe "
                "of the method energy"
            )
        return spec("calibrations", entry, [f"penumbra.calibration.maps.{entry['module']}"], names)

    def scored(self, names: Mapping[str, str]) -> list[str]:
        """What a filter reads: the judges' calibrated scores, or the outliers' names alone.

        Raises:
            PenumbraError: the recipe is no detector's, or has no filter.
        """
        outlier_options = detector(self._world, names["recipe"], names["backbone"])
        if outlier_options is None:
            raise PenumbraError(
                f"recipe {names['recipe']} trains on no outlier set, so that there is nothing to "
                "filter; ask for a recipe of the method energy"
            )
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
        return judged or self.outliers(names)

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
