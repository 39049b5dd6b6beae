"""Which block norms are read at: chosen once for all seeds, told in the row, reached by the map."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build
from penumbra.stages import blocks
from penumbra.stages.shared.blocks import block_read
from penumbra.store.artifacts import provenance_of, write_checkpoint, write_parquet
from tests.workflow.conftest import TINY, Tiny, csv_rows

NETWORK = build({"network": "resnet", "layers": 18, "width": 8, "stem": "fn"}, 10)
BLOCKS = NETWORK.blocks
READING = {
    "normalisation": {"mean": [0.5] * 3, "std": [0.5] * 3}, "batch_size": 8, "device": "cpu",
    "channels_last": False, "precision": "float32", "threads": 1, "images": 4,
}  # fmt: skip

POSITIONS = """
title: Positions
backbone: resnet18
columns:
  - {group: far, label: Average, metrics: [norm_id, auroc]}
rows:
  - {label: Front, recipe: uat, input: map, scorer: ccfn}
  - {label: Final, recipe: uat-final, input: map, scorer: ccfn}
  - {label: "Final, without its map", recipe: uat-final, scorer: ccfn}
"""


@pytest.fixture(scope="module")
def positions(tmp_path_factory):
    """The small world with a table of positions, computed."""
    folder = tmp_path_factory.mktemp("positions")
    made = Tiny(folder, TINY.replace("[uat_table01, uat_table13]", "[positions]"))
    (folder / "config/tables/positions.yaml").write_text(POSITIONS)
    made.run("all_tables")
    return made


def shown(checkout, name):
    """Rows of a table's CSV by label."""
    rows = csv_rows(checkout.folder / f"results/tiny/tables/{name}.csv")
    return {row["row"]: row for row in rows}


def chosen(checkout, recipe):
    file = checkout.folder / f"results/tiny/blocks/digits/resnet18/{recipe}.parquet"
    return next(row["block"] for row in pq.read_table(file).to_pylist() if row["chosen"])


def test_one_more_seed_changes_no_block_and_no_row_of_the_others(again):
    before = again.results()
    again.edit("tiny.yaml", "seeds: [0]", "seeds: [0, 7]")
    planned = again.planned()
    assert not [job for job in planned if job[0] == "blocks"]
    assert {names for rule, names in planned if rule == "statistics" and "seed=0" in names} == set()
    again.run("all_tables")
    after = again.results()
    tables = {name for name in before if name.startswith("tables/")}
    assert {name for name in before if after[name] != before[name]} == tables
    for row in pq.read_table(again.folder / "results/tiny/tables/uat_table13.parquet").to_pylist():
        assert row["block"] == chosen(again, "uat")


def test_rows_say_their_block_and_those_without_one_do_not(finished):
    rows = shown(finished, "uat_table01")
    assert rows["FN"]["block"] == chosen(finished, "standard")
    assert rows["UAT + CCFN"]["block"] == chosen(finished, "uat")
    assert rows["FN, fixed block"]["block"] == "layer4.0"
    assert rows["MSP"]["block"] == ""
    page = (finished.folder / "results/tiny/tables/uat_table01.md").read_text()
    assert f"| FN | {chosen(finished, 'standard')} |" in page
    assert "| MSP |  |" in page


def test_every_score_of_a_row_is_of_one_block(finished):
    read = {}
    for file in (finished.folder / "results/tiny/scores").rglob("*.parquet"):
        block = provenance_of(file).get("block")
        read.setdefault((file.parts[-4], file.parts[-2], file.stem), set()).add(block)
    assert all(len(blocks) == 1 for blocks in read.values())
    assert {block for blocks in read.values() for block in blocks} - {None}


def test_a_map_behind_the_chosen_block_is_read_where_it_acts(positions):
    rows = shown(positions, "positions")
    assert rows["Final"]["block"] == BLOCKS[-1]
    assert rows["Final, without its map"]["block"] == chosen(positions, "uat-final")


@pytest.mark.parametrize(
    ("place", "read"),
    [
        ("input", ("layer2.0", "")),
        ("layer2.0", ("layer2.0", "")),
        ("layer4.1", ("layer4.1", "layer2.0")),
    ],
)
def test_the_block_that_gives_way_is_remembered(tmp_path, place, read):
    file = tmp_path / "blocks.parquet"
    rows = [{"block": b, "norm_ratio": 1.0, "chosen": b == "layer2.0"} for b in BLOCKS]
    write_parquet(file, pa.Table.from_pylist(rows), {})
    reader = SimpleNamespace(model=NETWORK, perturb=(place, None))
    job = SimpleNamespace(inputs={"blocks": [file]}, input=lambda name: file)
    assert block_read(job, "selected", reader) == read


def test_of_a_network_without_feature_maps_no_block_is_chosen(tmp_path):
    vit = {"network": "vit", "image_size": 16, "patch": 8, "width": 8, "depth": 1, "heads": 1}
    state = {f"model.{k}": v for k, v in build(vit, 10).state_dict().items()}
    write_checkpoint(tmp_path / "model.safetensors", state, {})
    job = SimpleNamespace(config=READING | {"backbone": vit}, wildcards={}, inputs={})
    job.input = {"model": tmp_path / "model.safetensors", "train": None}.get
    with pytest.raises(PenumbraError, match=r"the network has no feature maps .* leave their rows"):
        blocks.run(job)


def test_a_named_block_before_the_map_is_refused_with_those_that_it_reaches(positions):
    target = "results/tiny/statistics/digits/resnet18/uat-final/seed0/map-uat-final/{}.parquet"
    done = positions.run(target.format("layer1.0"), check=False)
    assert done.returncode != 0
    assert f"block layer1.0: the map is added behind it, at {BLOCKS[-1]}" in done.output
    assert not (positions.folder / target.format("layer1.0")).exists()


def test_the_map_changes_the_scores_of_the_last_position(positions):
    """They were the same with the map and without."""
    names = ("clean", "map-uat-final")
    folder = "results/tiny/statistics/digits/resnet18/uat-final/seed0"
    files = [f"{folder}/{name}/layer4.1.parquet" for name in names]
    positions.run(*files)
    clean, mapped = (pq.read_table(positions.folder / f)["l2"].to_pylist() for f in files)
    assert all(a != b for a, b in zip(clean, mapped, strict=True))


def test_the_choice_is_the_largest_ratio(finished):
    for recipe in ("standard", "uat"):
        file = finished.folder / f"results/tiny/blocks/digits/resnet18/{recipe}.parquet"
        rows = pq.read_table(file).to_pylist()
        assert [row["block"] for row in rows] == list(BLOCKS)
        best = max(rows, key=lambda row: row["norm_ratio"])
        assert [row for row in rows if row["chosen"]] == [best]
        assert len({row["norm_ratio"] for row in rows}) == len(rows)
