"""CLIP in a local folder as a row of a table: its classes embedded, its images read, scored."""

from tests.clip import small_clip
from tests.workflow.conftest import Tiny, csv_rows

WORLD = """
world: tiny
seeds: [0]
weights_root: weights
image_sets:
  digits-train: {limit: 40}
  digits-heldout: {limit: 20}
  digits-test: {limit: 30}
  textures: {count: 24}
benchmarks:
  digits: {ood: {far: [textures]}}
backbones:
  clip: {label: CLIP, network: clip, options: {folder: small clip}}
recipes:
  zero-shot: {method: zero_shot, zero_shot: {prompt: "a photo of a {}"}}
  catex:
    extends: standard
    method: catex
    epochs: 8
    batch_size: 16
    lr: 0.01
    catex: {contexts: 4, queue: 8, neighbour: 2, boundary: 4, candidates: 20, start: 2}
tables: [chain]
figures: []
"""

TABLE = """
title: CLIP
backbone: clip
columns:
  - {group: far, label: Average, metrics: [auroc]}
rows:
  - {label: MCM, recipe: zero-shot, scorer: mcm}
  - {label: KNN, recipe: zero-shot, scorer: knn}
  - {label: CATEX, recipe: catex, scorer: catex}
"""


def test_clip_is_a_row(tmp_path):
    world = Tiny(tmp_path / "world", WORLD)
    (world.folder / "config/tables/chain.yaml").write_text(TABLE)
    world.edit(
        "config/config.yaml",
        "knn: {module: knn, options: {k: 50}}",
        "knn: {module: knn, options: {k: 5}}",
    )
    failed = world.run("chain", check=False)
    assert failed.returncode
    assert (
        "backbones.clip: weights/small clip holds no CLIP for the recipe zero-shot" in failed.output
    )
    (world.folder / "weights/small clip").mkdir(parents=True)
    small_clip(world.folder / "weights/small clip")
    world.run("chain")
    rows = csv_rows(world.folder / "results/tiny/tables/chain.csv")
    found = {row["row"]: float(row["Average AUROC ↑ mean"]) for row in rows}
    assert found.keys() == {"MCM", "KNN", "CATEX"}
    assert all(0 <= value <= 100 for value in found.values())
    assert world.planned("chain") == set()
