"""The benchmark of large sets, small: every stage that it times runs, and records what it took."""

from benchmarks import scale, scale_fits


def test_photographs_are_decoded():
    assert scale.photographs(3) > 0


def test_every_stage_is_timed():
    records = scale.passed(20)
    assert records.keys() == scale.STAGES.keys()
    assert all(record["seconds"] > 0 for record in records.values())


def test_a_fit_on_wide_features_is_measured():
    (record,) = scale_fits.measure(200, ("knn",)).values()
    assert record["peak_memory_mib"] > 0
