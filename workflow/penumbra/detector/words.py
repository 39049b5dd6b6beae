"""A detector in words."""

from pathlib import Path

from penumbra.detector import threshold as thresholds
from penumbra.detector.detector import Detector
from penumbra.store.artifacts import provenance_of

SHOWN = 10  # class names


def told(file: Path, detector: Detector) -> str:
    """What a detector's file is, for a person."""
    description = detector.description
    names, scorer = description.names, description.scorer
    rows = [
        ("world", names["world"]),
        ("benchmark", names["benchmark"]),
        ("model", "/".join([names["backbone"], names["recipe"], f"seed{names['seed']}"])),
        ("input", names["input"]),
        ("scorer", _scorer(scorer)),
        ("accepts", _accepts(detector)),
        ("P(ID)", _calibration(detector)),
        ("classes", _classes(description.classes)),
        ("images", f"{description.size}×{description.size}, made square by {description.square}"),
        ("computes in", description.precision),
        ("commit", description.commit or "not known"),
        ("code", str(provenance_of(file)["code"]["digest"])),
    ]
    return "\n".join([str(file), *(f"{name:<12}{text}" for name, text in rows if text)])


def _scorer(scorer: dict) -> str:
    options = ", ".join(f"{key} {value}" for key, value in scorer["options"].items())
    block = f"block {scorer['block']}" if scorer["block"] else ""
    if scorer["instead_of"]:
        block += f", the first one behind the map, in place of {scorer['instead_of']}"
    fitted = f"fitted on {scorer['fitted']} images" if scorer["fitted"] else ""
    return "; ".join(filter(None, [scorer["name"], options, block, fitted]))


def _accepts(detector: Detector) -> str:
    count = len(detector.heldout)
    mean, low, high = thresholds.recall(count, detector.tpr)
    kept = int((detector.heldout >= detector.threshold).sum())
    lines = [
        f"scores of {detector.threshold:.6g} and more: {kept} of {count} held-out ID images (TPR "
        f"{detector.tpr:g})",
        f"of further ID images {100 * mean:.1f} % on the mean, 95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f} %",
    ]
    false = detector.false_accepts()
    if false is not None:
        lines.append(f"of the calibration OOD images {100 * false:.1f} %")
    return _lines(lines)


def _calibration(detector: Detector) -> str:
    made = detector.description.calibration
    if made is None:
        return f"none: {detector.description.uncalibrated}"
    counts = [len(scores) for scores in detector.known]
    half = made["held_out"]
    return _lines([
        f"beta calibration on {counts[0]} held-out ID and {counts[1]} OOD images",
        f"on halves that it has not seen: ECE {half['ece_width']:.3f}, Brier score "
        f"{half['brier']:.3f}, NLL {half['nll']:.3f}",
    ])  # fmt: skip


def _classes(classes: list[str]) -> str:
    more = ", …" if len(classes) > SHOWN else ""
    return f"{len(classes)}: {', '.join(classes[:SHOWN])}{more}"


def _lines(lines: list[str]) -> str:
    return ("\n" + " " * 12).join(lines)
