"""Tables: means, deviations, ranks, printed numbers, and their four renderings."""

import csv
import io

import pyarrow as pa
import pytest

from penumbra.audit.artifacts import write_parquet
from penumbra.reporting import values
from penumbra.reporting.render import arrange, to_csv, to_html, to_latex, to_markdown

PRINTED = [
    {"method": "A", "ood_dataset": "average", "metric": "fpr95", "value": "12.21", "std": "1.3"},
    {"method": "A", "ood_dataset": "average", "metric": "auroc", "value": "97.80", "std": ""},
]


def metrics_file(folder, name, **by_set):
    rows = [{"image_set": s, "fpr95": f, "auroc": a} for s, (f, a) in by_set.items()]
    write_parquet(folder / name, pa.Table.from_pylist(rows), {})
    return str(folder / name)


@pytest.fixture
def cells(tmp_path):
    values._rows.cache_clear()
    files = {
        "A & B": [
            metrics_file(tmp_path, "a0.parquet", x=(0.2, 0.9), y=(0.4, 0.7)),
            metrics_file(tmp_path, "a1.parquet", x=(0.1, 0.9), y=(0.3, 0.9)),
        ],
        "B": [metrics_file(tmp_path, "b0.parquet", x=(0.5, 0.95), y=(0.5, 0.95))],
        "C": [metrics_file(tmp_path, "c0.parquet", x=(0.6, 0.5), y=(0.6, 0.5))],
        "D": [],
    }
    listed = [
        {
            "row": i, "row_label": row, "column": 0, "column_label": "Average", "metric": metric,
            "sets": ["x", "y"], "files": read, "missing": None if read else "no code was released",
            "reported": {"method": row[:1], "ood_dataset": "average"},
        }
        for i, (row, read) in enumerate(files.items())
        for metric in ("fpr95", "auroc")
    ]  # fmt: skip
    return values.evaluate(listed, PRINTED)


def cell(cells, row, metric):
    return next(c for c in cells if c["row_label"] == row and c["metric"] == metric)


def test_mean_is_over_seeds_of_means_over_sets(cells):
    found = cell(cells, "A & B", "fpr95")
    assert found["values"] == pytest.approx([0.3, 0.2])
    assert found["mean"] == pytest.approx(0.25)
    assert found["std"] == pytest.approx(0.0707106781)
    assert cell(cells, "B", "fpr95")["std"] is None


def test_ranks_know_which_direction_is_better(cells):
    assert [cell(cells, r, "fpr95")["rank"] for r in ("A & B", "B", "C")] == [1, 2, None]
    assert [cell(cells, r, "auroc")["rank"] for r in ("A & B", "B", "C")] == [2, 1, None]


def test_printed_numbers_stand_beside(cells):
    found = cell(cells, "A & B", "fpr95")
    assert (found["reported"], found["reported_std"]) == ("12.21", "1.3")
    assert cell(cells, "B", "fpr95")["reported"] is None


@pytest.fixture
def table(cells):
    return arrange("A title", ["World w; seeds 0, 1."], cells)


def test_markdown(table):
    text = to_markdown(table)
    assert "| A & B | **25.00** ± 7.07 | <u>85.00</u> ± 7.07 |" in text
    assert "| D | – | not computed: no code was released |" in text
    assert "World w" in text
    assert "[12.21 ± 1.3]" in to_markdown(table, beside=True)


def test_csv(table):
    header, first, *_, last = csv.reader(io.StringIO(to_csv(table)))
    assert header[1:4] == [f"Average FPR95 ↓ {kind}" for kind in ("mean", "std", "reported")]
    assert first[:4] == ["A & B", "25.00", "7.07", "12.21 ± 1.3"]
    assert last[-1] == "no code was released"


def test_latex(table):
    text = to_latex(table)
    assert r"A \& B & \textbf{25.00} $\pm$ 7.07 & \underline{85.00} $\pm$ 7.07 \\" in text
    assert r"\multicolumn{2}{c}{Average}" in text
    assert text.count("{") == text.count("}")


def test_html_is_escaped_and_marked(table):
    text = to_html(table)
    assert "A &amp; B" in text
    assert '<span class="best">25.00</span>' in text
    assert "printed 12.21 ± 1.3" in text
    assert "not computed: no code was released" in text
