"""Scores of a world's model against pytorch-ood's on the same weights and images.

`agreement.py results/WORLD BENCHMARK/BACKBONE/RECIPE/SEED` takes what the workflow computed for the
model on clean images: its checkpoint and image sets are exported, pytorch-ood's released detectors
score them in an environment of their own (`make .venv-peers/.complete`), and the AUROC and FPR95
that each side computes from its own scores are compared set by set.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from benchmarks.run import device_name  # noqa: E402
from penumbra.images.image_set import from_table  # noqa: E402
from penumbra.networks.inference import weights  # noqa: E402
from penumbra.store.artifacts import provenance_of, read_checkpoint, read_parquet  # noqa: E402

# Ours -> what pytorch-ood calls it. Options are those of config.yaml, where both have any.
PEERS = {
    "msp": "MaxSoftmax",
    "max-logit": "MaxLogit",
    "energy": "EnergyBased",
    "gen": "GEN",
    "react": "ReAct",
    "scale": "SCALE",
    "ash": "ASH",
    "dice": "DICE",
    "mahalanobis": "Mahalanobis",
    "rmds": "RMD",
    "knn": "KNN",
    "she": "SHE",
    "vim": "ViM",
    "odin": "ODIN",
    "mahalanobis-step": "MahalanobisODIN",
    "gradnorm": "GradNorm",
    "rankfeat": "RankFeat",
}
METRICS = {"auroc": "AUROC", "fpr95_ood_positive": "FPR95, OOD positive"}


def export(results: Path, model: str, scorers: list[str], folder: Path) -> str:
    """Write weights, images and labels of the model's world; returns the precision of our side."""
    config = provenance_of(results / "outputs" / model / "clean.parquet")["config"]
    checkpoint = weights(read_checkpoint(results / "models" / model / "model.safetensors"))
    np.savez(folder / "weights.npz", **{k: v.numpy() for k, v in checkpoint.items()})
    files = {"train": config["train"], "test": config["test"]} | {n: n for n in config["ood"]}
    for name, image_set in files.items():
        images = from_table(read_parquet(results / "images" / f"{image_set}.parquet"))
        np.save(folder / f"{name}.npy", images.pixels)
        if name == "train":
            np.save(folder / "labels.npy", images.labels)
    setup = {
        "backbone": config["backbone"],
        "normalisation": config["normalisation"],
        "sets": list(files),
        "scorers": scorers,
    }
    (folder / "setup.json").write_text(json.dumps(setup), encoding="utf-8")
    return config["precision"]


def compared(ours: pd.DataFrame, theirs: dict[str, Any]) -> pd.DataFrame:
    """A row for each scorer, image set and metric: both values, shares in [0, 1]."""
    ours = ours.set_index(["scorer", "image_set"])
    return pd.DataFrame(
        {
            "scorer": scorer,
            "image_set": name,
            "metric": metric,
            "ours": float(ours.loc[(scorer, name), metric]),  # type: ignore[arg-type,index]
            "theirs": value,
        }
        for scorer, sets in theirs.items()
        for name, values in sets.items()
        for metric, value in values.items()
    )


def table(rows: pd.DataFrame) -> list[str]:
    """By scorer: means over image sets of both sides, and the largest difference on any set."""
    lines = []
    for scorer, own in rows.groupby("scorer", sort=False):
        cells = []
        for metric in METRICS:
            of = own[own["metric"] == metric]
            apart = (of["ours"] - of["theirs"]).abs().max()
            cells += [f"{100 * of['ours'].mean():.3f}", f"{100 * of['theirs'].mean():.3f}"]
            cells += [f"{100 * apart:.3f}"]
        lines.append(f"| {scorer} | {PEERS[str(scorer)]} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the folder of a world's results")
    parser.add_argument("model", help="such as cifar10/resnet18/standard/seed0")
    parser.add_argument("--peer", type=Path, default=ROOT / ".venv-peers")
    arguments = parser.parse_args()
    metrics = read_parquet(arguments.results / "metrics" / arguments.model / "clean.parquet")
    ours = metrics.to_pandas()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scorers = [scorer for scorer in PEERS if scorer in {*ours["scorer"]}]
        precision = export(arguments.results, arguments.model, scorers, folder)
        script = Path(__file__).parent / "agreement_theirs.py"
        subprocess.run([arguments.peer / "bin/python", script, folder], check=True)
        theirs = json.loads((folder / "theirs.json").read_text(encoding="utf-8"))
    heads = " | ".join(f"{label}: ours | theirs | apart, at most" for label in METRICS.values())
    print(f"{datetime.date.today()}, {device_name()}; {arguments.model}, {precision}\n")
    print(f"| scorer | pytorch-ood | {heads} |\n|---|---|{'---:|' * 3 * len(METRICS)}")
    print("\n".join(table(compared(ours, theirs))))


if __name__ == "__main__":
    main()
