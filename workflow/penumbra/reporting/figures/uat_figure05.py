"""UAT paper, Figure 5: the learned universal map, and how its power spreads over frequencies."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from penumbra.errors import PenumbraError
from penumbra.networks.base import INPUT
from penumbra.networks.inference import perturbation
from penumbra.reporting.drawing import bare, panels
from penumbra.store.artifacts import read_checkpoint

BAR = (1.04, 0, 0.05, 1)  # a colour bar beside its panel, which stays as large as the others


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """The map as RGB around grey, its absolute values, and its log spectrum."""
    contrast = config["options"]["contrast"]
    std = np.array(config["networks"]["model"]["normalisation"]["std"])[:, None, None]
    perturb = perturbation(read_checkpoint(files["model"][0]))
    if perturb is None or perturb[0] != INPUT:
        told = "no universal map" if perturb is None else f"a map that is added at {perturb[0]}"
        raise PenumbraError(
            f"{files['model'][0]}: holds {told}, and this figure shows one of the input; name a "
            "recipe of the method uat with `position: input`"
        )
    values = perturb[1][0].numpy() * std  # from normalised to pixel units of [0, 1]
    figure, (rgb, size, power) = panels(1, 3, 10.5, 3.6)
    rgb.imshow(np.clip(0.5 + contrast * values, 0, 1).transpose(1, 2, 0))
    rgb.set_title(f"map × {contrast} around grey", fontsize=9)
    shown = size.imshow(255 * np.abs(values).mean(0), cmap="viridis")
    size.set_title("mean |map| over channels, in 1/255", fontsize=9)
    figure.colorbar(shown, cax=size.inset_axes(BAR))
    spectrum = np.fft.fftshift(np.abs(np.fft.fft2(values.mean(0))) ** 2)
    shown = power.imshow(np.log10(spectrum + 1e-12), cmap="magma")
    power.set_title("log10 power, zero frequency in the middle", fontsize=9)
    figure.colorbar(shown, cax=power.inset_axes(BAR))
    for axis in (rgb, size, power):
        bare(axis)
    figure.suptitle(
        f"{config['title']}; largest value {255 * np.abs(values).max():.1f}/255", fontsize=10
    )
    figure.tight_layout()
    return figure
