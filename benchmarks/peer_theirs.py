"""pytorch-ood's side of the comparison; runs under the interpreter of its own environment.

`python peer_theirs.py FOLDER` serves the steps on the network and images in FOLDER. Three ways to
use the library: every detector with the network, as its README shows; its evaluator with the cache;
one extraction whose arrays all detectors share.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from peer_worker import serve
from pytorch_ood.api import Detector
from pytorch_ood.benchmark import Benchmark
from pytorch_ood.detector import DICE, KNN, EnergyBased, Mahalanobis, MaxSoftmax, ReAct, ViM
from pytorch_ood.metrics import OODMetrics
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
from penumbra.networks.backbones import resnet

BATCH, OOD = 200, -1


class Network(nn.Module):
    """The shared network on uint8 images, so that no normalised copy of them is held."""

    def __init__(self, folder: Path):
        super().__init__()
        weights = {k: torch.from_numpy(v) for k, v in np.load(folder / "weights.npz").items()}
        classes, features = weights["fc.weight"].shape
        self.net = resnet.build(classes, 18, features // 8, "cifar").eval()
        self.net.load_state_dict(weights)
        self.fc = self.net.fc

    def features(self, x: Tensor) -> Tensor:
        return self.net.features((x.float() / 255 - 0.5) / 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


class Images(Benchmark):
    """Its evaluator wants a class a benchmark."""

    ood_names = ["ood"]

    def __init__(self, sets: dict[str, TensorDataset]):
        self.sets = sets

    def train_set(self) -> TensorDataset:
        return self.sets["train"]

    def test_sets(self, known: bool = True, unknown: bool = True) -> list:
        return [ConcatDataset([self.sets["id"], self.sets["ood"]])]


class Side:
    """Network, images, and the arrays of one extraction."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.network = Network(folder)
        self.encoder = self.network.features  # one object: the evaluator's cache goes by identity
        labels = np.load(folder / "labels.npz")
        self.sets = {}
        for name in ("train", "id", "ood"):
            x = torch.from_numpy(np.load(folder / f"{name}.npy"))
            y = torch.from_numpy(labels[name]) if name in labels else torch.full((len(x),), OOD)
            self.sets[name] = TensorDataset(x, y)
        self.arrays = self.extract()
        self.scores = {name: self.method(name, self.arrays) for name in self.detectors()}

    def detectors(self) -> dict[str, Detector]:
        w, b = self.network.fc.weight, self.network.fc.bias
        return {
            "msp": MaxSoftmax(self.network),
            "energy": EnergyBased(self.network),
            "react": ReAct(self.encoder, self.network.fc, percentile=0.9),
            "dice": DICE(self.encoder, w, b, p=0.9),
            "vim": ViM(self.encoder, d=w.shape[1] // 2, w=w, b=b),
            "knn": KNN(self.encoder, k=50),
            "mahalanobis": Mahalanobis(self.encoder),
        }

    def loader(self, name: str) -> DataLoader:
        return DataLoader(self.sets[name], BATCH)

    def forward(self) -> None:
        with torch.inference_mode():
            for name in self.sets:
                for x, _ in self.loader(name):
                    self.network(x)

    def extract(self) -> dict[str, Tensor]:
        arrays = {"labels": self.sets["train"].tensors[1]}
        with torch.inference_mode():
            for name in self.sets:
                arrays[name] = torch.cat([self.encoder(x) for x, _ in self.loader(name)])
                arrays[f"{name}_logits"] = self.network.fc(arrays[name])
        return arrays

    @torch.inference_mode()
    def method(self, name: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        """Fit, and score both test sets, on arrays."""
        detector = self.detectors()[name].to("cpu")
        if name in ("msp", "energy"):
            return {part: detector.predict_logits(arrays[f"{part}_logits"]) for part in TESTS}
        if name == "react":
            detector.fit_feature_maps(arrays["train"], arrays["labels"])
            return {part: detector.predict_feature_maps(arrays[part]) for part in TESTS}
        detector.fit_features(arrays["train"], arrays["labels"])
        return {part: detector.predict_features(arrays[part]) for part in TESTS}

    def metrics(self, scores: dict[str, dict[str, Tensor]]) -> list[dict[str, float]]:
        found = []
        for score in scores.values():
            known, unknown = (torch.full((len(score[part]),), y) for part, y in TESTS.items())
            both = OODMetrics().update(
                torch.cat([score["id"], score["ood"]]), torch.cat([known, unknown])
            )
            found.append(both.compute())
        return found

    def whole(self) -> None:
        arrays = self.extract()
        self.metrics({name: self.method(name, arrays) for name in self.scores})

    def fitted(self) -> list[Detector]:
        """Every detector, fitted through the network."""
        detectors = [detector.to("cpu") for detector in self.detectors().values()]
        for detector in detectors:
            if detector.requires_fit:
                detector.fit(self.loader("train"))
        return detectors

    def readme(self) -> None:
        for detector in self.fitted():
            metrics = OODMetrics()
            with torch.no_grad():
                for name in TESTS:
                    for x, y in self.loader(name):
                        metrics.update(detector(x), y)
            metrics.compute()

    def evaluator(self) -> None:
        Images(self.sets).evaluate(self.fitted(), {"batch_size": BATCH}, cache=True)

    def dump(self) -> None:
        found = {f"{n}_{p}": v.numpy() for n, s in self.scores.items() for p, v in s.items()}
        np.savez(self.folder / "theirs.npz", **found)


TESTS = {"id": 0, "ood": OOD}


def large(folder: Path) -> None:
    """KNN of the test features among the training features, nothing else."""
    detector = KNN(None, k=50)
    train = torch.from_numpy(np.load(folder / "features_train.npy"))
    detector.fit_features(train, torch.zeros(len(train), dtype=torch.int64))
    detector.predict_features(torch.from_numpy(np.load(folder / "features_test.npy")))


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(2)
    if sys.argv[2:] == ["large"]:
        serve({"large": partial(large, folder)})
        return
    side = Side(folder)
    steps = {"forward": side.forward, "whole": side.whole, "dump": side.dump}
    steps |= {"readme": side.readme, "evaluator": side.evaluator}
    steps |= {name: partial(side.method, name, side.arrays) for name in side.scores}
    steps["metrics"] = partial(side.metrics, side.scores)
    serve(steps)


if __name__ == "__main__":
    main()
