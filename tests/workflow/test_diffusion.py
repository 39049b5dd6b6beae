"""Dream-OOD and SONA on a Stable Diffusion in a local folder, as rows of a table."""

import pyarrow.parquet as pq

from tests.diffusion import small_stable_diffusion
from tests.workflow.conftest import Tiny, csv_rows

WORLD = """
world: tiny
seeds: [0]
weights_root: weights
image_sets:
  digits-train: {limit: 60}
  digits-heldout: {limit: 40}
  digits-test: {limit: 40}
  things: {count: 40}
  textures: {count: 24}
benchmarks:
  digits: {ood: {far: [textures]}}
backbones:
  resnet34: {options: {width: 4}}
recipes:
  detector: {epochs: 2}
  dream-ood: {extends: detector, outliers: {set: dream-ood}}
  dream-ood-fold0: {extends: dream-ood, outliers: {fold: [0, 2]}}
  dream-ood-fold1: {extends: dream-ood, outliers: {fold: [1, 2]}}
  dream-ood-mid:
    extends: bad-ood
    outliers: {set: dream-ood, judges: [dream-ood-fold0, dream-ood-fold1]}
  sona: {extends: detector, outliers: {set: sona}}
parts:
  stable-diffusion: {kind: stable_diffusion, weights: small, missing: omit}
  text-latent:
    kind: text_latent
    stable_diffusion: stable-diffusion
    images: digits-train
    options: {layers: 18, width: 4, stem: fn, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
    training:
      epochs: 2
      batch_size: 20
      lr: 0.05
      momentum: 0.9
      nesterov: true
      weight_decay: 0.0005
      schedule: {kind: cosine_iteration}
      augment: {flip: false, crop_padding: 1}
      precision: float32
outliers:
  dream-ood:
    kind: dream
    text_latent: text-latent
    generator: stable-diffusion
    per_class: 6
    shards: 2
    seed: 0
    grey: true
    batch_size: 16
    sampling: {queue: 5, neighbour: 2, boundary: 3, chosen: 2, candidates: 20, deviation: 0.1}
    decoding: {steps: 2, guidance: 2.0, size: 16, prompt: "the {}", hints: {"3": "{} digit"}}
  sona:
    kind: sona
    generator: stable-diffusion
    concepts: things
    shards: 1
    seed: 0
    grey: true
    batch_size: 32
    decoding: {size: 16, guidance: {steps: 3, semantic_warmup: 1, nuisance_warmup: 2}}
calibrations:
  beta: {options: {parameters: ab}}
filters:
  mid: {low: 0.0, high: 1.0}
tables: [chain]
figures: []
"""

TABLE = """
title: Diffusion
benchmark: badood
backbone: resnet34
columns:
  - {group: far, label: Average, metrics: [auroc]}
rows:
  - {label: Dream-OOD, recipe: dream-ood, scorer: energy}
  - {label: with calibration, recipe: dream-ood-mid, scorer: energy}
  - {label: SONA, recipe: sona, scorer: energy}
"""


def test_outliers_of_stable_diffusion_are_rows(tmp_path):
    world = Tiny(tmp_path / "world", WORLD)
    (world.folder / "config/tables/chain.yaml").write_text(TABLE)
    (world.folder / "config/words/things.txt").write_text("a cat\nb dog\nc 3\n")
    assert "models" not in {rule for rule, _ in world.planned("chain")}
    small_stable_diffusion(world.folder / "weights/small")
    world.run("chain")
    rows = csv_rows(world.folder / "results/tiny/tables/chain.csv")
    found = {row["row"]: float(row["Average AUROC ↑ mean"]) for row in rows}
    assert found.keys() == {"Dream-OOD", "with calibration", "SONA"}
    assert all(0 <= value <= 100 for value in found.values())
    assert world.planned("chain") == set()
    _check_outliers(world.folder / "results/tiny/outliers/digits")
    # Another file in the folder is another part.
    config = world.folder / "weights/small/scheduler/scheduler_config.json"
    config.write_text(config.read_text().replace("0.012", "0.011"))
    assert ("parts", "part=stable-diffusion") in world.planned("chain")


def _check_outliers(folder):
    shards = [pq.read_table(folder / f"dream-ood/{i}of2.parquet") for i in (0, 1)]
    names = [name for shard in shards for name in shard["outlier"].to_pylist()]
    assert len({*names}) == 60
    assert names[:6] == ["0/0/0", "0/0/1", "0/0/2", "0/0/3", "0/1/0", "0/1/1"]
    edited = pq.read_table(folder / "sona/0of1.parquet")
    assert len(edited) == 60
    assert {*edited["concept"].to_pylist()} == {"cat", "dog"}  # 3 is called as an ID class
    assert {*edited["start"].to_pylist()} == {0, 1, 2}
