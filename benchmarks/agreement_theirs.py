"""pytorch-ood's detectors on one trained network, under the interpreter of its own environment.

`python agreement_theirs.py FOLDER` reads what `agreement.py` exported into FOLDER, and writes there
theirs.json: AUROC and FPR95 of every detector and OOD set, by pytorch-ood's own metrics.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pytorch_ood.detector import (
    ASH,
    DICE,
    GEN,
    KNN,
    ODIN,
    RMD,
    SCALE,
    SHE,
    EnergyBased,
    GradNorm,
    Mahalanobis,
    MahalanobisODIN,
    MaxLogit,
    MaxSoftmax,
    RankFeat,
    ReAct,
    ViM,
)
from pytorch_ood.metrics import OODMetrics
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
from penumbra.networks.inference import build

BATCH = 200
Score = Callable[[str], Tensor]


class Side:
    """Network, images, and one extraction that the detectors of arrays share."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.setup = json.loads((folder / "setup.json").read_text(encoding="utf-8"))
        self.mean, self.std = (
            torch.tensor(self.setup["normalisation"][key]) for key in ("mean", "std")
        )
        self.net = self.network().eval().requires_grad_(False)
        self.labels = torch.from_numpy(np.load(folder / "labels.npy"))
        self.w, self.b = self.net.fc.weight.detach(), self.net.fc.bias.detach()
        self.logits: dict[str, Tensor] = {}
        self.features = {name: self.extracted(name) for name in self.setup["sets"]}

    def network(self) -> nn.Module:
        weights = {k: torch.from_numpy(v) for k, v in np.load(self.folder / "weights.npz").items()}
        net = build(self.setup["backbone"], len(weights["fc.weight"]))
        net.load_state_dict(weights)
        return net

    def batches(self, name: str):
        pixels = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        for start in range(0, len(pixels), BATCH):
            x = torch.from_numpy(pixels[start : start + BATCH].copy()).float() / 255
            yield (x - self.mean[:, None, None]) / self.std[:, None, None]

    @torch.inference_mode()
    def extracted(self, name: str) -> Tensor:
        features = torch.cat([self.net.features(x) for x in self.batches(name)])
        self.logits[name] = self.net.fc(features)
        return features

    def scores(self) -> dict[str, Score]:
        """Their detectors by the names of ours; each gives the outlier scores of a set."""
        fit = self.features["train"], self.labels
        return {
            "msp": self.of_logits(MaxSoftmax),
            "max-logit": self.of_logits(MaxLogit),
            "energy": self.of_logits(EnergyBased),
            "gen": self.of_logits(GEN),
            "react": self.of_maps(ReAct(self.net.features, self.net.fc, percentile=0.9), fit),
            "scale": self.shaped(SCALE(self.net.features, self.head, percentile=0.85)),
            "ash": self.shaped(ASH(self.net.features, self.head, "ash-s", percentile=0.9)),
            "dice": self.of_features(DICE(self.net.features, self.w, self.b, p=0.9), fit),
            "mahalanobis": self.of_features(Mahalanobis(self.net.features), fit),
            "rmds": self.of_features(RMD(self.net.features), fit),
            "knn": self.of_features(KNN(self.net.features, k=50), fit),
            "she": self.of_features(SHE(self.net.features, self.net.fc), fit),
            "vim": self.of_features(
                ViM(self.net.features, d=self.w.shape[1] // 2, w=self.w, b=self.b), fit
            ),
            "odin": self.of_images(ODIN(self.net, eps=0.0014, norm_std=self.std.tolist())),
            "mahalanobis-step": self.of_images(
                MahalanobisODIN(self.net.features, 0.0014, self.std.tolist()).fit_features(*fit)
            ),
            "gradnorm": self.of_images(GradNorm(self.net, lambda name: name == "fc.weight")),
            "rankfeat": self.of_images(self.rank_feat()),
        }

    def head(self, maps: Tensor) -> Tensor:
        return self.net.fc(maps.flatten(1))

    def of_logits(self, kind) -> Score:
        detector = kind(self.net)
        return lambda name: detector.predict_logits(self.logits[name])

    def of_features(self, detector, fit) -> Score:
        detector.to("cpu").fit_features(*fit)
        return lambda name: detector.predict_features(self.features[name])

    def of_maps(self, detector, fit) -> Score:
        detector.to("cpu").fit_feature_maps(*fit)
        return lambda name: detector.predict_feature_maps(self.features[name])

    def shaped(self, detector) -> Score:
        return lambda name: detector.predict_feature_maps(self.features[name][..., None, None])

    def of_images(self, detector) -> Score:
        return lambda name: torch.cat([detector.predict(x).detach() for x in self.batches(name)])

    def rank_feat(self) -> RankFeat:
        """One level, the last: what the released detector does. Its head pools."""
        maps: list[Tensor] = []
        last = self.net.get_submodule(self.net.levels[-1])
        last.register_forward_hook(lambda _module, _inputs, out: maps.append(out))

        def backbone(x: Tensor) -> Tensor:
            maps.clear()
            with torch.no_grad():
                self.net(x)
            return maps[0]

        return RankFeat(backbone, lambda left: self.net.fc(left.mean((2, 3))))


def metrics(score: Score, sets: list[str]) -> dict[str, dict[str, float]]:
    """Their AUROC and FPR95 (OOD is positive) of each OOD set against the test images."""
    known = score("test")
    found = {}
    for name in sets:
        unknown = score(name)
        labels = torch.cat([torch.zeros(len(known)), -torch.ones(len(unknown))])
        both = OODMetrics().update(torch.cat([known, unknown]), labels).compute()
        found[name] = {"auroc": both["AUROC"], "fpr95_ood_positive": both["FPR95TPR"]}
    return found


def main() -> None:
    torch.set_num_threads(1)
    side = Side(Path(sys.argv[1]))
    sets = [name for name in side.setup["sets"] if name not in ("train", "test")]
    found = {}
    for name, score in side.scores().items():
        if name in side.setup["scorers"]:
            found[name] = metrics(score, sets)
            print(name, flush=True)
    (side.folder / "theirs.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
