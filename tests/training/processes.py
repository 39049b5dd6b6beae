"""Trainings as their rules start them: real processes, in folders of their own."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow as pa

from penumbra.images.image_set import ImageSet, to_table
from penumbra.outliers.store import to_png
from penumbra.store.artifacts import write_parquet
from penumbra.store.closure import code_of
from tests.training.helpers import HALF, INNER, RECIPE, UAT, digits

METHODS = {
    "standard": {},
    "uat": UAT | {"index": "global"},
    "pgd": INNER | {"perturb_on": "odd", "index": "global"},
    "energy": {
        "beta": 1.0, "phi": "mlp512", "monotone": True, "reduction": "concat_mean",
        "outlier_batch": 7,
    },
}  # fmt: skip
ENCODER = {"width": 24, "depth": 1, "heads": 3, "patch": 4, "image_size": 16, "projector": 32}
PART = {
    "batch_size": 16, "lr": 2e-3, "warmup_epochs": 1, "schedule": "cosine",
    "objective": {
        "temperature": 0.1, "momentum": 0.9, "momentum_schedule": "cosine", "predictor": 32,
        "views": {
            "crop_scale": [0.5, 1.0], "flip": False, "brightness": 0.4, "contrast": 0.4, "blur": 0,
        },
    },
}  # fmt: skip


class Training:
    """One training in a folder: its images, its spec, its checkpoint."""

    def __init__(self, folder, rule, config, roots, wildcards, count, scale=1):
        self.folder, self.rule = folder, rule
        self.more = []  # inputs
        folder.mkdir(parents=True)
        pixels, labels = digits(count)
        pixels = pixels.repeat(scale, 2).repeat(scale, 3)
        origins = [""] * count
        images = ImageSet(pixels, labels, origins, [str(i) for i in range(10)])
        write_parquet(folder / "images.parquet", to_table(images), {})
        pictures = [to_png(255 - image) for image in pixels[:60]]
        names = [str(i) for i in range(len(pictures))]
        outliers = pa.table({"outlier": names, "image": pa.array(pictures, pa.binary())})
        write_parquet(folder / "outliers.parquet", outliers, {})
        code = code_of([f"penumbra.stages.{rule}", *roots])["digest"]
        shared = {"normalisation": HALF, "device": "cpu", "channels_last": False, "threads": 1}
        self.spec = {
            "rule": rule, "wildcards": wildcards, "config": shared | config, "roots": roots,
            "code": code,
        }  # fmt: skip

    @property
    def model(self):
        return self.folder / "model.safetensors"

    @property
    def states(self):
        return list((self.folder / "scratch").rglob("*.safetensors"))

    def start(self):
        """The stage as a process; its output is one pipe."""
        stage = [
            *("-m", f"penumbra.stages.{self.rule}", "--spec", "spec.json"),
            *("--in", "train=images.parquet", "images=images.parquet"),
            *("outliers=outliers.parquet", *self.more, "--out", "model=model.safetensors"),
            "history=history.parquet",
        ]
        (self.folder / "spec.json").write_text(json.dumps(self.spec))
        return subprocess.Popen(
            [sys.executable, *stage],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self):
        """Run to the end; what it said."""
        process = self.start()
        said = process.communicate()[0]
        assert process.returncode == 0, said
        return said

    def terminate(self, deaf=False):
        """Send SIGTERM at a random moment of the second or third epoch; what it said.

        Deaf: what reads the lines ends before, as `tee` does by the same signal.
        """
        process = self.start()
        said, start = "", time.perf_counter()
        for line in process.stdout:
            said += line
            if "epoch 1/" in line:
                start = time.perf_counter()
            if "epoch 2/" in line:
                break
        if deaf:
            process.stdout.close()
        time.sleep(random.uniform(0, time.perf_counter() - start))
        process.send_signal(signal.SIGTERM)
        said += "" if deaf else process.communicate()[0]
        assert process.wait() != 0, said
        return said


def model(folder, method, backbone=None, count=203, **changes):
    """A classifier's training; 203 images leave an odd last batch of 3."""
    recipe = RECIPE | {"method": method, "options": METHODS[method], "lr": 0.01, "epochs": 4}
    recipe |= {"augment": {"flip": False, "crop_padding": 2}, **changes}
    network = backbone or {"network": "resnet", "layers": 18, "width": 4, "stem": "fn"}
    config = {
        "backbone": network,
        "recipe": recipe,
        "outliers": {"fold": None} if method == "energy" else None,
        "streams": False,
        "compile": False,
        "graphs": False,
    }
    roots = [
        f"penumbra.networks.backbones.{network['network']}",
        f"penumbra.training.methods.{method}",
    ]
    roots += ["penumbra.training.pool"] if method == "energy" else []
    wildcards = {"benchmark": "digits", "backbone": "small", "recipe": method, "seed": "0"}
    scale = 2 if network["network"] == "vgg11" else 1
    return Training(folder, "models", config, roots, wildcards, count, scale)


def part(folder, epochs=4, count=400):
    """An encoder's training."""
    config = {
        "kind": "encoder",
        "options": ENCODER | {"representation": 16},
        "training": PART | {"epochs": epochs},
        "uses": {},
        "batch_size": 16,
    }
    return Training(folder, "parts", config, ["penumbra.parts.encoder"], {"part": "small"}, count)
