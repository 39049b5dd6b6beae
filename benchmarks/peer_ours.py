"""Our side of the comparison: `python peer_ours.py FOLDER` serves the steps on what lies there."""

import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

import numpy as np  # noqa: E402

from benchmarks.peer_worker import serve  # noqa: E402
from penumbra.plugins import load  # noqa: E402

METHODS = ("msp", "energy", "react", "dice", "vim", "knn", "mahalanobis")
SETS, TESTS = ("train", "id", "ood"), ("id", "ood")
BATCH = 200

Arrays = dict[str, np.ndarray]


def scored(name: str, train: Arrays, tests: dict[str, Arrays]) -> Arrays:
    """Fit where the scorer has anything to fit, and score both test sets; all by their defaults."""
    scorer = load("scores", name)
    fitted = scorer.fit(train) if hasattr(scorer, "fit") else {}
    return {part: scorer.score(arrays | fitted) for part, arrays in tests.items()}


class Side:
    """Network, images, and the arrays of one extraction."""

    def __init__(self, folder: Path):
        import torch

        from benchmarks.training import HALF
        from penumbra.networks.backbones import resnet
        from penumbra.networks.inference import Reader

        torch.set_num_threads(2)
        self.folder, self.torch = folder, torch
        weights = {k: torch.from_numpy(v) for k, v in np.load(folder / "weights.npz").items()}
        classes, features = weights["fc.weight"].shape
        model = resnet.build(classes, 18, features // 8, "cifar")
        model.load_state_dict(weights)
        self.reader = Reader(model, HALF, None, BATCH, torch.device("cpu"))
        self.head = {key: weights[f"fc.{key}"].numpy() for key in ("weight", "bias")}
        self.pixels = {name: np.load(folder / f"{name}.npy") for name in SETS}
        self.labels = np.load(folder / "labels.npz")["train"]
        self.train, self.tests = self.extract()
        self.scores = {name: self.method(name) for name in METHODS}

    def forward(self) -> None:
        with self.torch.inference_mode():
            for pixels in self.pixels.values():
                for x in self.reader.batches(pixels):
                    self.reader.model(x)

    def extract(self) -> tuple[Arrays, dict[str, Arrays]]:
        found = {name: self.reader.outputs(self.pixels[name]) | self.head for name in SETS}
        return found.pop("train") | {"labels": self.labels}, found

    def method(self, name: str) -> Arrays:
        return scored(name, self.train, self.tests)

    def metrics(self, scores: dict[str, Arrays]) -> list[dict[str, float]]:
        from penumbra.evaluation.metrics import metrics

        return [metrics(score["id"], score["ood"], name) for name, score in scores.items()]

    def whole(self) -> None:
        train, tests = self.extract()
        self.metrics({name: scored(name, train, tests) for name in METHODS})

    def dump(self) -> None:
        found = {f"{n}_{p}": v for n, score in self.scores.items() for p, v in score.items()}
        np.savez(self.folder / "ours.npz", **found)


def large(folder: Path) -> None:
    """KNN of the test features among the training features, nothing else."""
    train, test = (np.load(folder / f"features_{part}.npy") for part in ("train", "test"))
    labels = np.zeros(len(train), np.int64)
    scored("knn", {"features": train, "labels": labels}, {"test": {"features": test}})


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["large"]:
        serve({"large": partial(large, folder)})
        return
    side = Side(folder)
    steps = {"forward": side.forward, "whole": side.whole, "dump": side.dump}
    steps |= {name: partial(side.method, name) for name in METHODS}
    steps["metrics"] = partial(side.metrics, side.scores)
    serve(steps)


if __name__ == "__main__":
    main()
