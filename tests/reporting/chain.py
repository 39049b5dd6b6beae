"""A small synthesis chain of real digits where the embedded world has its artifacts.

Calibrations, selection and metrics are computed as their stages do. Scores, categories and energies
are planted, so that a figure that mixes them up shows.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import yaml
from sklearn.datasets import load_digits

from penumbra.calibration.fitted import calibrated
from penumbra.calibration.maps import beta
from penumbra.calibration.selection import select
from penumbra.evaluation.detection import detection
from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.inference import build
from penumbra.options.filter import Filter
from penumbra.outliers.anchors import plan, shard
from penumbra.outliers.store import embedding_table, with_images
from penumbra.planning.paths import path
from penumbra.store import seals
from penumbra.store.artifacts import dumps, read_parquet, write_checkpoint, write_parquet
from penumbra.store.columns import column, numbers, table, vectors

CLASSES = [str(digit) for digit in range(10)]
EACH = 6  # images of a class
CELLS = [f"cov_{c}_sem_{s}" for c in range(8) for s in range(8)]
SHARDS = {"mixed": 2, "gaussian": 1, "unguided": 1}
BAND = {"mode": "band", "low": 0.3, "high": 0.5, "least": 0.02}
CONFIG = Path(__file__).resolve().parents[2] / "config/config.yaml"
BACKBONE = yaml.safe_load(CONFIG.read_text())["backbones"]["resnet34"]
NETWORK = {"network": BACKBONE["network"], **BACKBONE["options"]}


def place(kind, **names):
    """The embedded world's path of an artifact of its detectors."""
    common = {"benchmark": "digits", "backbone": "resnet34", "seed": 0, "input": "clean"}
    return path("embedded", kind, **{**common, **names})


def names_of(**names):
    return {"benchmark": "digits", "backbone": "resnet34", "seed": "0", **names}


def provenance(rule, wildcards, inputs, config=None):
    """What a stage would write into an artifact of what made it."""
    digests = {str(file): seals.check(Path(file)) for file in inputs}
    return {"rule": rule, "wildcards": wildcards, "config": config or {}, "inputs": digests}


def put(rule, table, wildcards, inputs, file, config=None):
    """Write a table with the provenance that its stage would give it."""
    write_parquet(file, table, provenance(rule, wildcards, inputs, config))
    return file


def image_set(name, images):
    file = place("images", image_set=name)
    return put("images", to_table(images), {"image_set": name}, [], file)


def digits():
    """EACH real digits of every class, 16×16, uint8 (N, 3, 16, 16)."""
    bunch = load_digits()
    rows = np.concatenate([np.flatnonzero(bunch.target == d)[:EACH] for d in range(10)])
    grey = np.kron((bunch.images[rows] * 15.9).astype(np.uint8), np.ones((1, 2, 2), np.uint8))
    origins = [f"digits/{row}" for row in rows]
    return ImageSet(np.repeat(grey[:, None], 3, 1), bunch.target[rows], origins, CLASSES)


def part(name):
    file = place("parts", part=name)
    write_checkpoint(file, {"w": torch.zeros(1)}, {"rule": "parts"})
    return file


def outlier_set(name, images, representations, rdm, generator, rng):
    """Shards of outliers that are their anchors under noise; Gaussian ones under less."""
    anchors = plan(images.labels, images.origins, CLASSES, (0.025, 0.05), None, False)
    starts = rng.normal(size=(len(anchors), 8)).astype(np.float32)
    files = []
    for i in range(SHARDS[name]):
        wildcards = {"benchmark": "digits", "outliers": name, "shard": f"{i}of{SHARDS[name]}"}
        of_shard = shard(anchors, wildcards["shard"])
        own = starts[: len(of_shard)]
        rows = embedding_table(of_shard, range(len(of_shard)), own + 0.3, own, "encoder")
        embeddings = put(
            "embeddings", rows, wildcards, [representations, rdm], place("embeddings", **wildcards)
        )
        pixels = images.pixels[[anchor.row for anchor in of_shard]]
        noise = rng.integers(0, 256, pixels.shape)
        share = rng.uniform(0.1, 0.9, (len(pixels), 1, 1, 1)) * (0.2 if name == "gaussian" else 1)
        mixed = ((1 - share) * pixels + share * noise).astype(np.uint8)
        rows = with_images(rows, range(len(of_shard)), mixed)
        file = place("outliers", **wildcards)
        files.append(put("outliers", rows, wildcards, [generator, embeddings], file))
    return files


def outlier_names(files):
    return [name for file in files for name in read_parquet(file)["outlier"].to_pylist()]


def model(recipe, method, inputs):
    file = place("models", recipe=recipe)
    torch.manual_seed(0)
    tensors = {f"model.{k}": v for k, v in build(NETWORK, len(CLASSES)).state_dict().items()}
    config = {"recipe": {"method": method, "epochs": 3}}
    write_checkpoint(file, tensors, provenance("models", names_of(recipe=recipe), inputs, config))
    return file


def energies(recipe, outliers, inputs, rng):
    """Held-out ID, calibration OOD, and outliers between them."""
    names = outlier_names(outliers)
    parts = {"heldout": (-12, 2, 200), "calibration_ood": (-7, 2, 300)}
    parts["outlier"] = (-9, 1.5, len(names))
    energy = np.concatenate([rng.normal(*drawn) for drawn in parts.values()])
    roles = [role for role, drawn in parts.items() for _ in range(drawn[2])]
    rows = pa.table(
        {
            "image_set": column(["any"] * len(roles)),
            "role": column(roles),
            "outlier": column([""] * 500 + names),
            "label": column(np.zeros(len(roles), np.int64)),
            "energy": column(energy),
            "phi": column(energy),
        }
    )
    wildcards = names_of(recipe=recipe)
    return put("energies", rows, wildcards, [*outliers, *inputs], place("energies", recipe=recipe))


def calibration(recipe, energies_file):
    rows = read_parquet(energies_file)
    given = numbers(rows["energy"]), np.array(rows["role"].to_pylist())
    config = {"module": "beta", "input": "sigmoid_energy", "prior": "uniform"}
    q, summary = calibrated(beta, *given, config, 0)
    kept = rows.drop_columns("phi").append_column("q", column(q))
    table = kept.replace_schema_metadata({"calibration": dumps(summary)})
    wildcards = names_of(recipe=recipe, calibration="beta")
    file = place("calibrations", recipe=recipe, calibration="beta")
    return put("calibrations", table, wildcards, [energies_file], file, config)


def selection(calibration_file):
    rows = read_parquet(calibration_file).slice(500)
    names, q = rows["outlier"].to_pylist(), numbers(rows["q"])
    chosen = select(names, q, Filter.of(BAND), 0)
    columns = {"outlier": column(names), "kept": column(chosen.kept), "q": column(q)}
    table = pa.table(columns).replace_schema_metadata({"histogram": dumps(chosen.histogram)})
    config = {"filter": "mid", "options": BAND, "judges": {"detector": None}}
    wildcards, file = (
        names_of(recipe="bad-ood-in-sample"),
        place("selections", recipe="bad-ood-in-sample"),
    )
    return put("selections", table, wildcards, [calibration_file], file, config)


def categorised(outliers, inputs):
    """Three outliers a class: one OOD-I and two OOD-III; of class 0 one of each category."""
    names = outlier_names(outliers)
    chosen = [row for row in range(len(names)) if row % EACH < 3]
    labels = np.array([row // EACH for row in chosen])
    category = np.tile([1, 3, 3], len(CLASSES))
    category[1] = 2
    rows = pa.table(
        {
            "outlier": column([names[row] for row in chosen]),
            "label": column(labels),
            "category": column(category),
            "recognised": column([CLASSES[9 - label] for label in labels]),
            "probability": column(np.linspace(0.1, 0.9, len(chosen))),
            "kept": column(np.ones(len(chosen), bool)),
        }
    )
    config = {"recogniser": "classifier", "threshold": 0.3}
    file = place("categories", recipe="bad-ood")
    return put("categories", rows, names_of(recipe="bad-ood"), [*outliers, *inputs], file, config)


def grid_scores(recipe, rng):
    """Energy scores fall with the semantic level, ten times as slowly with the covariate one.

    Those of probabilities fall the other way round. Three images a cell; ODIN's are of the network.
    """
    labels = np.tile(np.arange(64), 3)
    covariate, semantic = labels // 8, labels % 8
    planted = dict.fromkeys(
        ("energy", "mahalanobis", "knn", "gradnorm"), 14 - semantic - 0.1 * covariate
    )
    planted |= dict.fromkeys(("msp", "temperature", "odin"), 1 - 0.1 * covariate - 0.01 * semantic)
    for scorer, values in planted.items():
        rows = pa.table(
            {
                "image_set": column(["digits-test"] * 5 + ["grid"] * 192),
                "role": column(["test"] * 5 + ["ood"] * 192),
                "index": column(np.arange(197, dtype=np.int32)),
                "label": column(np.append(np.zeros(5, np.int64), labels)),
                "score": column(np.append(np.full(5, 99.0), values + rng.normal(0, 1e-3, 192))),
            }
        )
        names = names_of(benchmark="digits-grid", recipe=recipe, input="clean", scorer=scorer)
        config = {"module": scorer, "options": {}}
        rule = "scores_network" if scorer == "odin" else "scores"
        put(rule, rows, names, [], place("scores", **names), config)


def measured(recipe, seed, model_file, rng):
    """Outputs without vectors, drawn scores, and their metrics."""
    names = names_of(recipe=recipe, seed=str(seed), input="clean")
    keys = {
        "image_set": column(["digits-test"] * 40 + ["textures"] * 30 + ["faces"] * 30),
        "role": column(["test"] * 40 + ["ood"] * 60),
    }
    outputs = put("outputs", pa.table(keys), names, [model_file], place("outputs", **names))
    values = np.append(rng.normal(2, 1, 40), rng.normal(0, 1, 60))
    names["scorer"] = "energy"
    rows = pa.table({**keys, "score": column(values)})
    scores = put("scores", rows, names, [outputs], place("scores", **names))
    by_set = {"digits-test": values[:40], "textures": values[40:70], "faces": values[70:]}
    roles = {name: "test" if name == "digits-test" else "ood" for name in by_set}
    found = [row for row, _ in detection("energy", by_set, roles)]
    put("metrics", table(found), names, [scores], place("metrics", **names))


def build_chain():
    """All artifacts that the figures' YAML names, below the working directory."""
    rng = np.random.default_rng(0)
    images = digits()
    train = image_set("digits-train", images)
    image_set("grid", ImageSet(np.zeros((64, 3, 2, 2), np.uint8), np.arange(64), CELLS, CELLS))
    encoder, rdm, generator = (part(name) for name in ("moco-l", "rdm-l", "mage-l"))
    rows = pa.table({"representation": vectors(np.zeros((len(images), 8)))})
    names = {"part": "moco-l", "image_set": "digits-train"}
    file = place("representations", **names)
    made = put("representations", rows, names, [encoder, train], file)
    sets = {name: outlier_set(name, images, made, rdm, generator, rng) for name in SHARDS}
    model("standard", "standard", [train])
    detector = model("detector", "energy", [train, *sets["mixed"]])
    first = calibration("detector", energies("detector", sets["mixed"], [detector, train], rng))
    selected = selection(first)
    retrained = model("bad-ood-in-sample", "energy", [train, *sets["mixed"], selected])
    calibration("bad-ood", energies("bad-ood", sets["mixed"], [retrained], rng))
    calibration("gaussian-mid", energies("gaussian-mid", sets["gaussian"], [], rng))
    categorised(sets["mixed"], [selected, train])
    for recipe in ("bad-ood", "standard", "gaussian-mid"):
        grid_scores(recipe, rng)
    for recipe in (
        "bad-ood",
        "bad-ood-in-sample",
        "detector",
        "detector-config1",
        "detector-config2",
    ):
        for seed in (0, 1):
            measured(recipe, seed, retrained, rng)
    return Path.cwd()
