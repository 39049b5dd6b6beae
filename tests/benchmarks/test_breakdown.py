"""Where a world's CPU seconds went, added up from records of jobs."""

import json

from benchmarks import breakdown


def record(folder, name, rule, start, checks, work):
    seconds = {"start": start, "checks": checks, "work": work}
    (folder / name).mkdir()
    text = json.dumps({"rule": rule, "cpu_seconds": seconds})
    (folder / name / "x.parquet.run.json").write_text(text)


def test_seconds_are_added_by_rule_and_training_is_told_from_the_rest(tmp_path):
    record(tmp_path, "a", "models", 1.0, 0.5, 10.0)
    record(tmp_path, "b", "models", 1.0, 0.5, 20.0)
    record(tmp_path, "c", "scores", 0.25, 0.25, 2.0)
    found = breakdown.shares(tmp_path)
    assert [(share.rule, share.jobs) for share in found] == [("models", 2), ("scores", 1)]
    text = breakdown.table(found, 40.0)
    assert "| models | 2 | 2.0 | 1.0 | 30.0 | 33.0 |" in text
    assert "Training 30 s; other work 2 s; starts and imports 2 s; checks" in text
    assert "forked from 4 s; in all 40 s, of them 10 s not training." in text
