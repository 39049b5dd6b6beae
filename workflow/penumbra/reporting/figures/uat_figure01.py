"""UAT paper, Figure 1: what a universal perturbation does to a decision boundary in the plane.

A small network is trained by the same UAT code as the image models; arrows show the learned map,
one for all samples, at samples near the boundary.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from penumbra.networks.base import Classifier
from penumbra.reporting.drawing import panels
from penumbra.seeds import derive
from penumbra.training.method import Batch, Setting
from penumbra.training.methods.uat import Universal

BATCH = 40
COLOURS = ("#2166ac", "#b2182b")


class Planar(Classifier):
    """Two hidden layers on points stored as images of one row: (N, 1, 1, 2)."""

    blocks = ()

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
        )
        self.fc = nn.Linear(64, 2)

    def places(self) -> list[tuple[str, Any]]:
        """One place, whose output is the feature."""
        return [("hidden", self.hidden)]


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """Panels of growing training; margin and intra-class spread in their titles."""
    options = config["options"]
    x, y = _moons(options["points"], options["seed"])
    figure, axes = panels(1, len(options["shown"]), 4 * len(options["shown"]), 3.8)
    shown = iter(zip(options["shown"], axes, strict=True))
    wanted, axis = next(shown)
    for epoch, model, perturbation in _train(x, y, options):
        if epoch == wanted:
            _panel(axis, model, perturbation, x, y, epoch, options["near"])
            wanted, axis = next(shown, (None, None))
    figure.suptitle(
        f"{config['title']}: arrows are the one learned map, at samples near the boundary"
    )
    figure.tight_layout()
    return figure


def _moons(points: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(derive("moons", seed))
    angle = rng.uniform(0, np.pi, points)
    y = np.arange(points) % 2
    plane = np.stack([np.cos(angle) - 0.5 * (1 - 2 * y), (np.sin(angle) - 0.25) * (1 - 2 * y)], 1)
    plane += rng.normal(0, 0.16, plane.shape)
    return torch.tensor(plane, dtype=torch.float32).reshape(-1, 1, 1, 2), torch.from_numpy(y)


def _train(x: Tensor, y: Tensor, options: dict[str, Any]):
    torch.manual_seed(derive("plane", options["seed"]))
    model = Planar()
    one = torch.ones(1, 1, 1, 1)
    setting = Setting(model, (1, 1, 2), one * 0, one, options["seed"], torch.device("cpu"))
    uat = Universal(
        {
            "position": "input", "index": "epoch", "perturb_on": "odd", "tau": options["tau"],
            "alpha": options["alpha"], "space": "normalised", "update": "pgd", "steps": 5,
            "step_size": 0.4, "restart": "warm", "clip": "alpha", "init": "uniform",
            "bn_phase3": "eval", "inner_attack": None,
        },
        setting,
    )  # fmt: skip
    optimiser = torch.optim.SGD(model.parameters(), options["lr"], 0.9, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(derive("order", options["seed"]))
    for epoch in range(1, options["epochs"] + 1):
        model.train()
        for index, rows in enumerate(torch.randperm(len(x), generator=generator).split(BATCH)):
            batch = Batch(epoch, index, 0)
            inputs, perturb = uat.inputs(x[rows], y[rows], batch)
            loss = F.cross_entropy(model(inputs, perturb), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            uat.after(x[rows], y[rows], batch)
        model.eval()
        yield epoch, model, uat.map.flatten()


def _gap(model: Planar, x: Tensor) -> Tensor:
    logits = model(x)
    return logits[:, 1] - logits[:, 0]


def _panel(
    axis, model: Planar, perturbation: Tensor, x: Tensor, y: Tensor, epoch: int, near: float
):
    moving = x.clone().requires_grad_(True)
    gap = _gap(model, moving)
    (slope,) = torch.autograd.grad(gap.sum(), moving)
    # First-order distance to the boundary, positive on the right side.
    distance = gap.detach() / slope.flatten(1).norm(dim=1).clamp(min=1e-6) * (2 * y - 1)
    points = x.reshape(-1, 2)
    side = np.linspace(-2.2, 2.2, 200, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 1, 1, 2)
    with torch.no_grad():
        level = _gap(model, torch.from_numpy(grid)).reshape(200, 200).numpy()
        features = model.features(x)
    axis.contourf(side, side, np.tanh(level / 4), 21, cmap="RdBu_r", alpha=0.35, vmin=-1, vmax=1)
    axis.contour(side, side, level, [0], colors="k", linewidths=1.2)
    for label, colour in enumerate(COLOURS):
        axis.scatter(*points[y == label].T, s=10, color=colour, edgecolors="none")
    close = points[distance.abs() < near * float(distance.abs().median())]
    arrow = perturbation.expand(len(close), 2)
    axis.quiver(*close.T, *arrow.T, angles="xy", scale_units="xy", scale=1, width=0.006, color="k")
    centres = torch.stack([features[y == c].mean(0) for c in (0, 1)])
    spread = (features - centres[y]).norm(dim=1).mean() / (centres[0] - centres[1]).norm()
    axis.set_title(
        f"epoch {epoch}: mean margin {distance.mean():.2f}, spread {spread:.2f}", fontsize=9
    )
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
