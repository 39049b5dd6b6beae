"""The one param of each rule of the synthesis chain (see `specs`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.images.classes import class_list
from penumbra.planning import synthesis
from penumbra.planning.specs import network, reader, spec


def parts(world: Any, name: str) -> str:
    """Reads: the part's config, compute."""
    entry = synthesis.part(world, name)
    compute = world.config["compute"]
    config = {
        "kind": entry["kind"],
        "options": entry.get("options", {}),
        "training": entry.get("training"),
        "uses": {role: _used(world, entry[role]) for role in synthesis.USES[entry["kind"]]},
        "device": compute["device"],
        "batch_size": compute["batch_size"],
        "threads": compute["threads"]["models"],
    }
    return spec("parts", config, [f"penumbra.parts.{entry['kind']}"], {"part": name})


def _used(world: Any, name: str) -> dict[str, Any]:
    return {"name": name, "options": synthesis.part(world, name).get("options", {})}


def representations(world: Any, names: Mapping[str, str]) -> str:
    """Reads: the encoder's options, compute."""
    entry = synthesis.part(world, names["part"])
    precision = world.config["compute"]["precision"]["representations"]
    config = {"options": entry.get("options", {}), "precision": precision, **_reading(world)}
    return spec("representations", config, [], names)


def embeddings(world: Any, names: Mapping[str, str]) -> str:
    """Reads: how anchors are chosen, the guidance, the RDM's options, compute."""
    entry = synthesis.outlier_set(world, names["outliers"])
    config = {
        "anchors": {key: entry[key] for key in ("per_class", "cycle")},
        "guidance": entry["guidance"],
        "options": synthesis.part(world, entry["rdm"]).get("options", {}),
        "seed": entry["seed"],
        "graphs": world.config["compute"]["graphs"],
        **_reading(world),
    }
    return spec("embeddings", config, [], names)


def outliers(world: Any, names: Mapping[str, str]) -> str:
    """Reads: the generator's kind and options, how it decodes, compute."""
    entry = synthesis.outlier_set(world, names["outliers"])
    generator = synthesis.part(world, entry["generator"])
    config = {
        "generator": entry["generator"],
        "kind": generator["kind"],
        "options": _local(world, generator.get("options", {})),
        "decoding": entry["decoding"],
        **_reading(world),
    }
    return spec("outliers", config, [f"penumbra.parts.{generator['kind']}"], names)


def _local(world: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a generator, its folder of further weights below weights_root."""
    root = Path(world.config["weights_root"])
    folders = {key: str(root / options[key]) for key in ("autoencoder",) if key in options}
    return {**options, **folders}


def energies(world: Any, names: Mapping[str, str]) -> str:
    """Reads: backbone, normalisation, the image sets that calibrate, compute."""
    config, roots = reader(world, names)
    benchmark = world.config["benchmarks"][names["benchmark"]]
    config |= {
        "heldout": benchmark["heldout"],
        "calibration_ood": benchmark["calibration_ood"],
        "outliers": (synthesis.detector(world, names["recipe"]) or {})["set"],
    }
    return spec("energies", config, roots, names)


def calibrations(world: Any, names: Mapping[str, str]) -> str:
    """Reads: the calibration."""
    entry = world.config["calibrations"][names["calibration"]]
    return spec("calibrations", entry, [f"penumbra.calibration.{entry['module']}"], names)


def selections(world: Any, names: Mapping[str, str]) -> str:
    """Reads: the filter, and the fold that each judge did not train on."""
    found = synthesis.detector(world, names["recipe"], names["backbone"]) or {}
    config = {
        "filter": found["filter"],
        "options": world.config["filters"][found["filter"]],
        "judges": {
            judge: (synthesis.detector(world, judge) or {}).get("fold")
            for judge in found.get("judges", [])
        },
        "outliers": found["set"],
    }
    return spec("selections", config, [], names)


def categories(world: Any, names: Mapping[str, str]) -> str:
    """Reads: who judges the categories of outliers, how many of them, and at which size."""
    entry = world.config["categories"]
    config = {key: entry[key] for key in ("judge", "sample", "threshold")}
    config |= {"size": None, "classes": None, **_reading(world)}
    roots = [f"penumbra.outliers.judges.{entry['judge']}"]
    if entry["judge"] == "clip":
        clip = entry["clip"]
        config["folder"] = str(Path(world.config["weights_root"]) / clip["folder"])
        config["prompt"] = clip["prompt"]
        if "classes_file" in clip:
            config["classes"] = class_list(world.folder / "classes", clip["classes_file"])
    else:
        config["network"], root = network(world, entry["classifier"]["backbone"])
        benchmark = world.config["benchmarks"][names["benchmark"]]
        config["normalisation"] = benchmark["normalisation"]
        config["size"] = world.size(benchmark["train"])
        roots += root
    return spec("categories", config, roots, names)


def _reading(world: Any) -> dict[str, Any]:
    compute = world.config["compute"]
    return {
        "batch_size": compute["batch_size"],
        "device": compute["device"],
        "threads": compute["threads"]["features"],
    }
