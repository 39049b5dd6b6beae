"""Readings in shards: the same bytes as one job writes."""

import yaml

from tests.workflow.conftest import TINY, Tiny

READINGS = (
    "results/tiny/outputs/digits/resnet18/standard/seed0/clean.parquet",
    "results/tiny/statistics/digits/resnet18/standard/seed0/clean/selected.parquet",
    "results/tiny/scores/digits/resnet18/standard/seed0/clean/rankfeat.parquet",
)


def test_a_sharded_world_gives_the_same_bytes(tmp_path):
    """Four shards of what has four parts, and a fifth without any."""
    calm = Tiny(tmp_path / "calm")
    calm.run(*READINGS)
    sharded = Tiny(tmp_path / "sharded", TINY + "compute: {shards: 5}\n")
    sharded.run(*READINGS)
    ours, theirs = calm.results(), sharded.results()
    assert len([name for name in theirs if name.startswith("shards/")]) == 5 * 3
    assert (sharded.folder / "logs/tiny/gather/outputs").is_dir()
    whole = {name: theirs[name] for name in theirs if not name.startswith("shards/")}
    assert {name.removeprefix("results/tiny/") for name in READINGS} <= whole.keys()
    assert [name for name in whole if ours[name] != whole[name]] == []


def test_shards_of_different_runs_are_not_put_together(tmp_path):
    made = Tiny(tmp_path, TINY + "compute: {shards: 2}\n")
    made.run(READINGS[0])
    made.edit("tiny.yaml", "compute: {shards: 2}", "compute: {shards: 2, batch_size: 100}")
    shard = (
        READINGS[0]
        .replace("results/tiny/", "results/tiny/shards/")
        .replace(".parquet", "/0of2.parquet")
    )
    made.run(shard)
    done = made.run(
        READINGS[0], "--allowed-rules", "gather_outputs", "--force", "--rerun-triggers", "mtime",
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "was not made as" in done.output


def test_shards_do_not_travel_in_one_submission(tmp_path):
    """The profile groups small readings by the name of their rule; a shard has another."""
    made = Tiny(tmp_path, TINY + "compute: {shards: 2}\n")
    grouped = yaml.safe_load((made.folder / "slurm/config.yaml").read_text())["groups"]
    names = {entry.partition("=")[0] for entry in grouped}
    assert {"outputs", "statistics", "scores_network"} <= names
    planned = {rule for rule, _ in made.planned(*READINGS)}
    shards = {"outputs_shard", "statistics_shard", "scores_network_shard"}
    assert shards <= planned
    assert not names & shards
    assert not {"outputs", "statistics", "scores_network"} & planned
