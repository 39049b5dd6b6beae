"""Bad-OOD paper, Figure 1: from training images to outliers, filter and retrained detector.

Boxes and arrows are the artifacts of one run and what their provenance says they were made from;
the numbers in them are read from the artifacts.
"""

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from penumbra.audit.lineage import Node, lineage
from penumbra.errors import PenumbraError
from penumbra.outliers.store import from_png
from penumbra.reporting.drawing import STYLE
from penumbra.reporting.flowchart import flowchart
from penumbra.reporting.reliability import NAMES
from penumbra.reporting.tables.values import of_scorer
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import numbers
from penumbra.store.notes import read_note

BINS = 40
KEPT = "#4d9221"


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """The chain above; below it P(ID) of ID, OOD and outliers, and what the filter keeps."""
    columns = config["options"]["columns"]
    nodes = lineage(files)
    texts = {
        node.role: (
            config["labels"].get(node.role, node.role),
            [_origin(node), *facts(node, files, config["scorers"])],
        )
        for node in nodes
    }
    lines = -(-len(nodes) // columns)
    plt.rcParams.update(STYLE)  # type: ignore[arg-type]
    figure, (chain, axis) = plt.subplots(
        2, 1, figsize=(2.5 * columns, 2.1 * lines + 2.6), height_ratios=(2.1 * lines, 2.1)
    )
    chain.set_axis_off()
    score_axis(axis, files["calibration"][0], files["selection"][0])
    model = provenance_of(files["selection"][0])["wildcards"]
    where = ", ".join(f"{key} {model[key]}" for key in ("benchmark", "backbone", "seed"))
    figure.suptitle(f"{config['title']}\n{where}", fontsize=10)
    figure.tight_layout()
    flowchart(chain, nodes, texts, columns)
    return figure


def _origin(node: Node) -> str:
    return f"{node.rule}: {node.name}"


def facts(node: Node, files: dict[str, list[Path]], scorers: dict[str, str]) -> list[str]:
    """What the artifacts of a node hold, in a few lines."""
    if node.rule == "metrics":
        return _metrics(of_scorer(files[node.role][0], scorers[node.role]))
    return FACTS[node.rule](files[node.role])


def _rows(files: Sequence[Path], columns: list[str]) -> pa.Table:
    shards = [read_parquet(file, columns).replace_schema_metadata(None) for file in files]
    return pa.concat_tables(shards)


def _representations(files: Sequence[Path]) -> list[str]:
    column = read_parquet(files[0], ["representation"])["representation"]
    return [f"{len(column):,} images", f"{column.type.list_size} numbers each"]


def _embeddings(files: Sequence[Path]) -> list[str]:
    rows = _rows(files, ["scale", "cosine"])
    scales = ", ".join(f"{scale:g}" for scale in np.unique(numbers(rows["scale"])))
    cosine = numbers(rows["cosine"]).mean()
    return [f"{len(rows):,} outliers", f"scales {scales}", f"cosine to anchor {cosine:.2f}"]


def _outliers(files: Sequence[Path]) -> list[str]:
    side = from_png(read_parquet(files[0], ["image"])["image"][0].as_py()).shape[-1]
    return [f"{len(_rows(files, ['outlier'])):,} images", f"{side} × {side} pixels"]


def _models(files: Sequence[Path]) -> list[str]:
    recipe = provenance_of(files[0])["config"]["recipe"]
    return [f"method {recipe['method']}", f"{recipe['epochs']} epochs"]


def _energies(files: Sequence[Path]) -> list[str]:
    counts = Counter(read_parquet(files[0], ["role"])["role"].to_pylist())
    return [f"{counts[role]:,} {name}" for role, name in NAMES.items()]


def _calibrations(files: Sequence[Path]) -> list[str]:
    summary = json.loads(read_parquet(files[0], ["q"]).schema.metadata[b"calibration"])
    values = {name: value for name, value in summary["parameters"].items() if len(value) == 1}
    shown = [f"{name} {values[name][0]:.2g}" for name in values if name not in ("centre", "scale")]
    return [", ".join(shown), f"ECE {summary['quality']['ece_width']:.3f}"]


def _selections(files: Sequence[Path]) -> list[str]:
    kept = np.array(read_parquet(files[0], ["kept"])["kept"].to_pylist())
    chosen = provenance_of(files[0])["config"]["filter"]
    return [f"filter {chosen}", f"{kept.sum():,} of {len(kept):,} kept", f"({kept.mean():.1%})"]


def _read(files: Sequence[Path]) -> list[str]:
    rows = read_parquet(files[0], ["image_set", "role"])
    sets = dict(zip(rows["image_set"].to_pylist(), rows["role"].to_pylist(), strict=True))
    count = Counter(sets.values())
    return [f"{len(rows):,} images", f"{count['ood']} OOD sets"]


def _metrics(rows: list[dict[str, Any]]) -> list[str]:
    fpr, auroc = (100 * np.mean([row[key] for row in rows]) for key in ("fpr95", "auroc"))
    return [f"FPR95 {fpr:.2f} %", f"AUROC {auroc:.2f} %", f"mean of {len(rows)} OOD sets"]


FACTS: dict[str, Callable[[Sequence[Path]], list[str]]] = {
    "representations": _representations,
    "embeddings": _embeddings,
    "outliers": _outliers,
    "models": _models,
    "energies": _energies,
    "calibrations": _calibrations,
    "selections": _selections,
    "outputs": _read,
    "scores": _read,
}


def score_axis(axis, calibration: Path, selection: Path) -> None:
    """Histograms of q = P(ID) by role over 0 to 1; the filter's band dashed, what it keeps shaded.

    Both differ where the filter fell back, which its note tells.
    """
    rows = read_parquet(calibration, ["role", "q"])
    roles, q = np.array(rows["role"].to_pylist()), numbers(rows["q"])
    edges = np.linspace(0, 1, BINS + 1)
    for role, name in NAMES.items():
        share = np.histogram(q[roles == role], edges)[0] / (roles == role).sum()
        axis.stairs(share, edges, label=name, linewidth=1.5)
    low, high = kept_range(selection)
    axis.axvspan(low, high, color=KEPT, alpha=0.2, linewidth=0, label="kept")
    filter_ = provenance_of(selection)["config"]
    said = f"filter {filter_['filter']}"
    if filter_["options"]["mode"] == "band":
        band = [filter_["options"][edge] for edge in ("low", "high")]
        said += f" (dashed): {band[0]:g} ≤ q ≤ {band[1]:g}"
        for edge in band:
            axis.axvline(edge, color=KEPT, linestyle="--", linewidth=1)
    note = read_note(selection)
    axis.set_title(textwrap.fill(said + (f"; {note}" if note else ""), 130), fontsize=8, pad=20)
    axis.set(xlim=(0, 1), xlabel="q = P(ID): larger = closer to ID", ylabel="share")
    axis.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))


def kept_range(selection: Path) -> tuple[float, float]:
    """Lowest and highest q among the outliers that the filter keeps.

    Raises:
        PenumbraError: the filter does not go by q.
    """
    rows = read_parquet(selection, ["kept", "q"])
    if "q" not in rows.column_names:
        raise PenumbraError(f"{selection}: the filter is random; draw the chain of one with judges")
    kept = numbers(rows["q"])[np.array(rows["kept"].to_pylist())]
    return float(kept.min()), float(kept.max())
