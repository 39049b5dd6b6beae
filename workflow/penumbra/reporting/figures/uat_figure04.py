"""UAT paper, Figure 4: where ID and OOD images activate, without and with channel calibration."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from penumbra.networks.inference import statistics
from penumbra.reporting.drawing import bare, panels
from penumbra.reporting.running import chosen_block, reader, some
from penumbra.scores.ccfn import score as ccfn


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """Rows: image, UAT (mean of ReLU maps), UAT + CCFN (channels weighted by their maximum).

    Each row of maps shares one scale from 0 to its largest value over all images.
    """
    count = config["options"]["images"]
    block = chosen_block(files["blocks"][0])
    run = reader(files["model"][0], config["networks"]["model"])
    columns = [(kind, i) for kind in ("test", "ood") for i in range(count)]
    pixels = np.concatenate([some(files[kind][0], count) for kind in ("test", "ood")])
    with torch.inference_mode():
        x = next(run.batches(pixels))
        maps = run.model.maps(x, (block,), run.perturb)[block].relu()
    channels = statistics(maps)
    plain = maps.mean(1).numpy()
    weighted = (maps * channels["max"][:, :, None, None]).mean(1).numpy()
    arrays = {name: value.numpy() for name, value in channels.items()}
    scores = {"UAT": ccfn(arrays, "none"), "UAT + CCFN": ccfn(arrays, "max")}
    figure, axes = panels(3, len(columns), 1.25 * len(columns), 4.4)
    for j, (kind, _) in enumerate(columns):
        axes[j].imshow(pixels[j].transpose(1, 2, 0))
        axes[j].set_title("ID" if kind == "test" else "OOD", fontsize=9)
        for i, (name, values) in enumerate((("UAT", plain), ("UAT + CCFN", weighted)), 1):
            axis = axes[i * len(columns) + j]
            shown = axis.imshow(values[j], cmap="jet", vmin=0, vmax=values.max())
            axis.set_xlabel(f"{scores[name][j]:.3f}", fontsize=8)
            if j == 0:
                axis.set_ylabel(name)
            if j == len(columns) - 1:
                figure.colorbar(shown, cax=axis.inset_axes((1.1, 0, 0.08, 1)))
    for axis in axes:
        bare(axis)
    figure.suptitle(
        f"{config['title']}\nblock {block}; OOD images of {files['ood'][0].stem}; the number is "
        "the score, larger is more ID",
        fontsize=10,
        y=1.02,
    )
    return figure
