"""Training loop: against its bare steps, against the usual research loop, and UAT's extra cost.

All ratios are medians of pairs measured side by side in one run.
"""

import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from penumbra.images.augment import Feeder
from penumbra.networks.backbones import resnet
from penumbra.training.loop import Trainer
from penumbra.training.method import Method, Setting
from penumbra.training.methods.uat import Universal
from penumbra.training.sgd import Sgd

HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
RECIPE = {
    "name": "benchmark", "epochs": 1000, "lr": 0.01, "momentum": 0.9, "nesterov": False,
    "weight_decay": 1e-3, "schedule": {"kind": "multistep", "milestones": [], "gamma": 0.1},
}  # fmt: skip
UAT = {
    "position": "input", "index": "epoch", "perturb_on": "odd", "tau": 50, "alpha": 0.1,
    "space": "normalised", "update": "pgd", "steps": 3, "step_size": 0.5, "restart": "warm",
    "clip": "alpha", "init": "uniform", "bn_phase3": "eval", "inner_attack": None,
}  # fmt: skip


class Sizes:
    """What is trained: small enough for a CPU, the paper's own on a GPU."""

    def __init__(self) -> None:
        gpu = torch.cuda.is_available()
        self.device = torch.device("cuda" if gpu else "cpu")
        self.width, self.batch = (64, 128) if gpu else (16, 32)
        self.images = 50_000 if gpu else 1_600  # 50 batches: one update of the map an epoch
        self.precision = "bfloat16" if gpu else "float32"
        self.pairs = 5

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return (
            rng.integers(0, 256, (self.images, 3, 32, 32), dtype=np.uint8),
            rng.integers(0, 10, self.images),
        )


def make(
    sizes: Sizes, uat: bool = False, graphs: bool = False, compiled: bool = False, **options
) -> Trainer:
    """A trainer on random pixels; its speed does not depend on what they show."""
    torch.manual_seed(0)
    model = resnet.build(10, 18, sizes.width, "fn").to(
        sizes.device, memory_format=torch.channels_last
    )
    feeder = Feeder(*sizes.pixels(), HALF, True, 4, True, sizes.device)
    half = torch.full((1, 3, 1, 1), 0.5, device=sizes.device)
    lowered = sizes.precision == "bfloat16"
    setting = Setting(
        model, (3, 32, 32), half, half, 0, sizes.device, lowered=lowered, graphs=graphs
    )
    method = Universal(UAT | options, setting) if uat else Method({}, setting)
    return Trainer(model, feeder, method, RECIPE | {"batch_size": sizes.batch}, 0, compiled)


def seconds(run, device: torch.device) -> float:
    """Wall time of one call, the device's work included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def pairs(first, second, sizes: Sizes) -> float:
    """Median over pairs of time(first) / time(second), in alternating order."""
    ratios = []
    for i in range(sizes.pairs + 1):
        order = (first, second) if i % 2 else (second, first)
        times = {run: seconds(run, sizes.device) for run in order}
        ratios.append(times[first] / times[second])
    return statistics.median(ratios[1:])  # the first pair warms up


def bare_epoch(trainer: Trainer, sizes: Sizes):
    """Forward, backward and optimiser step on tensors that are there already."""
    model = trainer.model
    optimiser = Sgd(model, trainer.recipe)
    generator = torch.Generator(sizes.device).manual_seed(0)
    rows = torch.arange(len(trainer.feeder), device=sizes.device).split(sizes.batch)
    batches = list(trainer.feeder.served((part, generator) for part in rows))

    def run() -> None:
        model.train()
        for x, y in batches:
            with trainer.method.setting.autocast():
                loss = F.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


class Images(Dataset):
    """The usual data set: PIL images through torchvision's transforms."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray):
        self.images = [Image.fromarray(image.transpose(1, 2, 0)) for image in pixels]
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.RandomCrop(32, padding=4),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int):
        return self.transform(self.images[i]), self.labels[i]


def research_epoch(trainer: Trainer, sizes: Sizes):
    """DataLoader with two workers and a running loss that is read every step."""
    model = trainer.model
    optimiser = Sgd(model, trainer.recipe)
    loader = DataLoader(Images(*sizes.pixels()), sizes.batch, shuffle=True, num_workers=2)

    def run() -> None:
        model.train()
        total = 0.0
        for x, y in loader:
            x = x.to(sizes.device, memory_format=torch.channels_last)
            y = y.to(sizes.device)
            with trainer.method.setting.autocast():
                loss = F.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()

    return run


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, ratio, target."""
    sizes = Sizes()
    epochs = iter(range(10**6))
    plain, uat, other = make(sizes), make(sizes, uat=True), make(sizes)

    def ours() -> None:
        plain.epoch(next(epochs))

    def adversarial() -> None:
        uat.epoch(next(epochs))

    what = f"ResNet-18, width {sizes.width}, batch {sizes.batch}, {sizes.precision}"
    bare = 1 / pairs(ours, bare_epoch(other, sizes), sizes)
    research = pairs(research_epoch(other, sizes), ours, sizes)
    extra = pairs(adversarial, ours, sizes)
    return [
        (f"loop over bare steps, images/s ({what})", bare, "≥ 0.95"),
        (f"loop over research loop, images/s ({what})", research, "reported"),
        (f"UAT, K = 3, τ = 50, over standard, time ({what})", extra, "≤ 1.08"),
    ]
