"""UAT paper, Figure 2: how CCFN scores an image, with the maps and numbers of a trained network.

Above, the method as a chain (Eq. 4 and 5); below each of its boxes, what comes out of it for one ID
and one OOD image.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from penumbra.audit.lineage import Node
from penumbra.images.image_set import evenly, pixels_at
from penumbra.networks.base import added
from penumbra.networks.inference import Reader, statistics
from penumbra.reporting.drawing import STYLE, bare
from penumbra.reporting.flowchart import HALF, flowchart
from penumbra.reporting.running import chosen_block, reader
from penumbra.scores.ccfn import score as ccfn
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import numbers

# Boxes in order, each with those that it takes from.
CHAIN = {
    "input": (),
    "network": ("input",),
    "maximum": ("network",),
    "rescaled": ("maximum", "network"),
    "norm": ("rescaled",),
    "score": ("norm",),
}
KINDS = {"test": ("ID", "#2166ac"), "ood": ("OOD", "#b2182b")}
FIRST, ROW, HIGH = -1.3, 1.0, 0.72  # middle of the first row of pictures, distance of rows, height
BINS = 40


class Passed(NamedTuple):
    """One image on its way.

    `image` (H, W, 3) is what the network gets, in [0, 1]; `maps` (C, h, w) are the block's, through
    ReLU, `maxima` and `norms` (C,) of them; `score` is CCFN and `plain` FN, without calibration.
    """

    image: np.ndarray
    maps: np.ndarray
    maxima: np.ndarray
    norms: np.ndarray
    score: float
    plain: float


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """The chain, and below it what the ID and the OOD image of median score become."""
    block = chosen_block(files["blocks"][0])
    run = reader(files["model"][0], config["networks"]["model"])
    scores, passed = {}, {}
    for kind in KINDS:
        scores[kind], index = scored(files, kind)
        pixels = pixels_at(files[kind][0], [index])
        passed[kind] = passing(run, block, pixels)
    shown = spread([passed[kind].maxima for kind in KINDS], config["options"]["channels"])
    plt.rcParams.update(STYLE)  # type: ignore[arg-type]
    figure, axis = plt.subplots(figsize=(2.2 * len(CHAIN), 5.6))
    figure.subplots_adjust(0.02, 0.02, 0.98, 0.92)
    axis.set_axis_off()
    backbone = provenance_of(files["model"][0])["wildcards"]["backbone"]
    flowchart(axis, _nodes(), _texts(passed["test"], f"{backbone} to {block}"), len(CHAIN))
    axis.set_ylim(FIRST - ROW * (len(KINDS) - 1) - HIGH / 2 - 0.15, 0.42)
    for row, kind in enumerate(KINDS):
        middle = FIRST - ROW * row
        axis.text(-0.5, middle, KINDS[kind][0], ha="right", va="center", weight="bold")
        places = [axis.inset_axes(_room(i, middle), transform=axis.transData) for i in range(6)]
        _pictures(places, passed, kind, shown)
        _among(places[-1], scores, passed[kind])
    figure.suptitle(
        f"{config['title']}\nThe images whose scores are the medians of their sets; OOD images of "
        f"{files['ood'][0].stem}. {len(shown)} of {len(passed['test'].maxima)} channels, from the "
        "strongest to the weakest.",
        fontsize=10,
    )
    return figure


def scored(files: Mapping[str, list[Path]], kind: str) -> tuple[np.ndarray, int]:
    """Stored scores (N,) of the ID or the OOD images, and the place of the median in their set."""
    rows = read_parquet(files["scores"][0], ["image_set", "role", "index", "score"])
    names, roles = (np.array(rows[key].to_pylist()) for key in ("image_set", "role"))
    chosen = (roles == "test") if kind == "test" else (names == files["ood"][0].stem)
    scores = numbers(rows["score"])[chosen]
    middle = np.argsort(scores, kind="stable")[len(scores) // 2]
    return scores, int(numbers(rows["index"])[chosen][middle])


def passing(run: Reader, block: str, pixels: np.ndarray) -> Passed:
    """What an image, uint8 (1, 3, H, W), becomes on its way through network and score."""
    with torch.inference_mode():
        x = next(run.batches(pixels))
        maps = run.model.maps(x, (block,), run.perturb)[block].relu()
        seen = (added(x, "input", run.perturb) * run.std + run.mean).clamp(0, 1)
        channels = statistics(maps)
    arrays = {name: value.numpy() for name, value in channels.items()}
    image = seen[0].permute(1, 2, 0).numpy()
    of_channels = (maps[0].numpy(), arrays["max"][0], arrays["l2"][0])
    return Passed(image, *of_channels, *(float(ccfn(arrays, how)[0]) for how in ("max", "none")))


def spread(maxima: list[np.ndarray], count: int) -> np.ndarray:
    """Channels spread evenly over their order by mean maximum over images (C,), largest first."""
    order = np.argsort(-np.mean(maxima, 0), kind="stable")
    return order[evenly(len(order), count)]


def _nodes() -> list[Node]:
    return [Node(role, "", "", parents, {}, i) for i, (role, parents) in enumerate(CHAIN.items())]


def _texts(passed: Passed, network: str) -> dict[str, tuple[str, list[str]]]:
    channels, height, width = passed.maps.shape
    rows, columns, colours = passed.image.shape
    return {
        "input": ("Input", ["x + L", f"{colours} × {rows} × {columns}"]),
        "network": ("Network", [network, "ReLU(f)", f"{channels} × {height} × {width}"]),
        "maximum": ("Channel maximum", ["w_c = max ReLU(f_c)", "over positions"]),
        "rescaled": ("Calibration", ["w_c · ReLU(f_c)"]),
        "norm": ("Channel norm", ["‖w_c · ReLU(f_c)‖₂", "over positions"]),
        "score": ("Score", [f"mean over {channels}", "channels; larger", "is more ID"]),
    }


def _room(column: int, middle: float) -> tuple[float, float, float, float]:
    return column - HALF, middle - HIGH / 2, 2 * HALF, HIGH


def _pictures(
    places: list[Axes], passed: Mapping[str, Passed], kind: str, shown: np.ndarray
) -> None:
    """Image, maps, maxima, rescaled maps and norms of one image, on scales of both images."""
    image, maps, maxima, rescaled, norms, _ = places
    one, colour = passed[kind], KINDS[kind][1]
    image.imshow(one.image)
    bare(image)
    weighted = {k: p.maxima[:, None, None] * p.maps for k, p in passed.items()}
    plain = {k: p.maps for k, p in passed.items()}
    for axis, values in ((maps, plain), (rescaled, weighted)):
        largest = max(each[shown].max() for each in values.values())
        axis.imshow(mosaic(values[kind][shown]), cmap="viridis", vmin=0, vmax=largest)
        axis.set_title(f"0 to {largest:.3g}", fontsize=7, pad=2)
        bare(axis)
    of_channels = {k: (p.maxima[shown], (p.maxima * p.norms)[shown]) for k, p in passed.items()}
    for i, axis in enumerate((maxima, norms)):
        axis.bar(range(len(shown)), of_channels[kind][i], color=colour)
        axis.set_ylim(0, 1.05 * max(each[i].max() for each in of_channels.values()))
        axis.set_xticks([])
        axis.tick_params(labelsize=6)


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Maps (C, h, w) side by side, as square as may be, white lines between: (rows, columns)."""
    across = math.ceil(math.sqrt(len(maps)))
    down = math.ceil(len(maps) / across)
    _, height, width = maps.shape
    edge = max(1, round(0.1 * height))
    made = np.full((down * (height + edge) - edge, across * (width + edge) - edge), np.nan)
    for i, each in enumerate(maps):
        top, left = (i // across) * (height + edge), (i % across) * (width + edge)
        made[top : top + height, left : left + width] = each
    return made


def _among(axis: Axes, scores: Mapping[str, np.ndarray], passed: Passed) -> None:
    """Where an image's score lies among those of its set and of the other."""
    edges = np.histogram_bin_edges(np.concatenate([*scores.values()]), BINS)
    for kind, values in scores.items():
        share = np.histogram(values, edges)[0] / len(values)
        axis.stairs(share, edges, color=KINDS[kind][1], label=KINDS[kind][0])
    axis.axvline(passed.score, color="black", linewidth=1)
    axis.set_title(f"CCFN {passed.score:.3g} (FN {passed.plain:.3g})", fontsize=8, pad=2)
    axis.set_yticks([])
    axis.tick_params(labelsize=6)
    axis.legend(frameon=False, fontsize=6)
