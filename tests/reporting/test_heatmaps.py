"""The shift grid's anomaly: which side of a score is out-of-distribution."""

import numpy as np
import pyarrow as pa
import pytest

from penumbra.planning.yaml_files import load_yaml
from penumbra.reporting.figures.badood_heatmaps import anomaly
from penumbra.store.artifacts import write_parquet


@pytest.fixture
def scores(tmp_path):
    rows = {"image_set": ["grid"] * 3, "label": [0, 1, 2], "score": [3.0, 2.0, 1.0]}
    write_parquet(tmp_path / "s.parquet", pa.table(rows), {"rule": "scores_network"})
    return {"gradnorm": [tmp_path / "s.parquet"]}


def test_anomaly_is_the_score_turned_round_but_for_a_gradients_norm(scores):
    turned, labels = anomaly(scores, "gradnorm", "grid")
    assert np.array_equal(turned, [-3, -2, -1])
    assert np.array_equal(labels, [0, 1, 2])
    assert np.array_equal(anomaly(scores, "gradnorm", "grid", is_norm=True)[0], [3, 2, 1])


def test_the_papers_figures_read_gradnorm_as_it_does(root):
    for number in ("05", "06", "07", "08"):
        figure = load_yaml(root / f"config/tables/badood_figure{number}.yaml")
        assert figure["options"]["norms"] == ["gradnorm"]
        assert "gradnorm" in figure["options"]["panels"]
