"""Tables: means, deviations, ranks, printed numbers, and their four renderings."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penumbra.evaluation.metrics import bound_names
from penumbra.evaluation.resampling import DRAWS, draws_of
from penumbra.reporting.tables import values
from penumbra.reporting.tables.marks import told
from penumbra.reporting.tables.printed import Printed
from penumbra.reporting.tables.render import arrange, to_csv, to_html, to_latex, to_markdown
from penumbra.stages.tables import caption
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import vectors

KINDS = ("mean", "std", "low", "high", "conformal low", "conformal high", "reported")
PRINTED = [
    {"method": "A", "ood_dataset": "average", "metric": "fpr95", "value": "12.21", "std": "1.3"},
    {"method": "A", "ood_dataset": "average", "metric": "auroc", "value": "97.80", "std": ""},
]


def metrics_file(folder, name, **by_set):
    rows = [{"scorer": "s", "image_set": s, "fpr95": f, "auroc": a} for s, (f, a) in by_set.items()]
    return metrics_of(folder / name, rows)


def metrics_of(file, rows, spread=0.001):
    """Metrics, bounds 0.2 around them, and draws that scatter little, each file's by itself."""
    bounded = [{"block": "", "instead_of": "", **row} for row in rows]
    for row in bounded:
        for metric in {"auroc", "fpr95"} & row.keys():
            low, high = bound_names(metric)
            row |= {low: row[metric] - 0.2, high: row[metric] + 0.2}
    write_parquet(file, pa.Table.from_pylist(bounded), {})
    rng = np.random.default_rng(list(file.name.encode()))
    columns = {key: [row[key] for row in rows] for key in ("scorer", "image_set")}
    texts = (*columns, "block", "instead_of")
    for key in (key for key in rows[0] if key not in texts):
        around = np.array([row[key] for row in rows], float)[:, None]
        columns[key] = vectors(around + spread * rng.normal(size=(len(rows), DRAWS)))
    draws = draws_of(file)
    draws.parent.mkdir(exist_ok=True)
    write_parquet(draws, pa.table(columns), {})
    return str(file)


@pytest.fixture
def planned(tmp_path):
    values._rows.cache_clear()
    values._drawn.cache_clear()
    files = {
        "A & B": [
            metrics_file(tmp_path, "a0.parquet", x=(0.2, 0.9), y=(0.4, 0.7)),
            metrics_file(tmp_path, "a1.parquet", x=(0.1, 0.9), y=(0.3, 0.9)),
        ],
        "B": [metrics_file(tmp_path, f"b{i}.parquet", x=(0.5, 0.95), y=(0.5, 0.95)) for i in "01"],
        "C": [metrics_file(tmp_path, f"c{i}.parquet", x=(0.99, 0.5), y=(0.99, 0.4)) for i in "01"],
        "D": [],
    }
    return [
        {
            "row": i, "row_label": row, "column": 0, "column_label": "Average", "metric": metric,
            "scorer": "s", "sets": ["x", "y"],
            "files": read, "missing": None if read else "no code was released",
            "reported": {"method": row[:1], "ood_dataset": "average"}, "backbone": "r",
        }
        for i, (row, read) in enumerate(files.items())
        for metric in ("fpr95", "auroc")
    ]  # fmt: skip


@pytest.fixture
def cells(planned):
    return values.evaluate(planned, Printed(PRINTED), 0.95)


def cell(cells, row, metric):
    return next(c for c in cells if c["row_label"] == row and c["metric"] == metric)


def test_mean_is_over_seeds_of_means_over_sets(cells):
    found = cell(cells, "A & B", "fpr95")
    assert found["values"] == pytest.approx([0.3, 0.2])
    assert found["mean"] == pytest.approx(0.25)
    assert found["std"] == pytest.approx(0.0707106781)
    assert cell(cells, "D", "fpr95")["std"] is None


def test_ranks_know_which_direction_is_better(cells):
    # Two seeds that differ by 0.1 do not tell 0.25 from 0.99 at 95 %, three rows together.
    assert [cell(cells, r, "fpr95")["rank"] for r in ("A & B", "B", "C")] == [1, 1, 1]
    assert [cell(cells, r, "auroc")["rank"] for r in ("A & B", "B", "C")] == [1, 1, 2]


def test_printed_numbers_stand_beside(cells):
    found = cell(cells, "A & B", "fpr95")
    assert (found["reported"], found["reported_std"]) == ("12.21", "1.3")
    assert cell(cells, "B", "fpr95")["reported"] is None


@pytest.fixture
def table(cells):
    return arrange("A title", ["World w; seeds 0, 1."], cells)


def test_markdown(table):
    text = to_markdown(table)
    assert "| A & B | **25.00** ± 7.07 | **85.00** ± 7.07 |" in text
    assert "| C | **99.00** ± 0.00 | <u>45.00</u> ± 0.00 |" in text
    assert "| D | – | not computed: no code was released |" in text
    assert "World w" in text
    assert "[12.21 ± 1.3]" in to_markdown(table, beside=True)


def test_csv(table):
    text = to_csv(table)
    caption, rows = text[: text.index("row,")], text[text.index("row,") :]
    assert caption == f"# {table.title}\n" + "".join(f"# {note}\n" for note in table.notes)
    assert table.notes
    header, first, *_, last = csv.reader(io.StringIO(rows))
    assert header[2:9] == [f"Average FPR95 ↓ {kind}" for kind in KINDS]
    assert first[:4] == ["A & B", "", "25.00", "7.07"]
    assert float(first[4]) < 25 < float(first[5])
    assert first[6:9] == ["5.00", "45.00", "12.21 ± 1.3"]
    assert header[-2:] == ["all scores equal in", "not computed because"]
    assert last[-1] == "no code was released"


def test_a_caption_speaks_of_a_deviation_where_there_is_one():
    config = {"world": "w", "seeds": [3], "benchmarks": {}, "notes": []}
    assert caption(config)[0] == "World w; seed 3."
    config["seeds"] = [3, 4]
    assert caption(config)[0] == "World w; seeds 3, 4; mean ± sample deviation over seeds."


def test_latex(table):
    text = to_latex(table)
    assert r"A \& B & \textbf{25.00} $\pm$ 7.07 & \textbf{85.00} $\pm$ 7.07 \\" in text
    assert r"\multicolumn{2}{c}{Average}" in text
    assert text.count("{") == text.count("}")


def test_html_is_escaped_and_marked(table):
    text = to_html(table)
    assert "A &amp; B" in text
    assert '<span class="best">25.00</span>' in text
    assert "printed 12.21 ± 1.3" in text
    assert '<span class="small" title="conformal bounds">5.00 to 45.00</span>' in text
    assert "below it conformal bounds at 95 %" in text
    assert "not computed: no code was released" in text


def evaluated(tmp_path, **rows):
    """Cells of one column of FPR95 and one of AUROC: per row, per seed, (FPR95, AUROC) of a set."""
    values._rows.cache_clear()
    values._drawn.cache_clear()
    listed = []
    for i, (row, seeds) in enumerate(rows.items()):
        files = [
            metrics_file(tmp_path, f"{row}{seed}.parquet", x=found)
            for seed, found in enumerate(seeds)
        ]
        listed += [
            {
                "row": i, "row_label": row, "column": 0, "column_label": "X", "metric": metric,
                "scorer": "s", "sets": ["x"], "files": files, "missing": None, "reported": None,
                "backbone": "r",
            }
            for metric in ("fpr95", "auroc")
        ]  # fmt: skip
    return values.evaluate(listed, Printed([]), 0.95)


def ranks(cells, metric):
    return [c["rank"] for c in cells if c["metric"] == metric]


def test_scores_that_are_all_equal_are_marked_and_never_best(tmp_path):
    cells = evaluated(tmp_path, a=[(0.9, 0.4)], b=[(1.0, 0.3)], equal=[(1.0, 0.5)])
    assert ranks(cells, "auroc") == [1, 2, None]  # 0.5 is larger than both
    assert [c["equal"] for c in cells if c["metric"] == "auroc"] == [0, 0, 1]
    assert told(cells) == ["† tells nothing apart: all scores are equal here."]
    shown = arrange("T", told(cells), cells)
    assert "| equal | 100.00† | 50.00† |" in to_markdown(shown)
    assert r"equal & 100.00\dag{} & 50.00\dag{} \\" in to_latex(shown)
    assert '<span class="">100.00</span>†' in to_html(shown)
    assert "; X AUROC ↑ †," in to_csv(shown)


def test_scores_that_are_equal_under_one_seed_have_another_mark(tmp_path):
    cells = evaluated(tmp_path, a=[(0.5, 0.6)] * 2, b=[(1.0, 0.5), (0.8, 0.7)])
    assert [c["equal"] for c in cells] == [0, 0, 0.5, 0.5]
    assert [line[0] for line in told(cells)] == ["‡"]
    assert "**90.00**‡ ± 14.14" in to_markdown(arrange("T", [], cells))


def test_the_worst_there_is_is_never_marked(tmp_path):
    cells = evaluated(tmp_path, a=[(0.2, 0.9)], b=[(1.0, 0.0)], c=[(1.0, 0.2)], d=[(0.99999, 0.1)])
    assert ranks(cells, "fpr95") == [1, None, None, None]
    assert ranks(cells, "auroc") == [1, None, 2, None]


def test_where_all_are_tied_nothing_is_marked(tmp_path):
    cells = evaluated(tmp_path, a=[(0.2, 0.9)], b=[(0.2, 0.8)], c=[(0.2, 0.9)])
    assert ranks(cells, "fpr95") == [None] * 3
    assert ranks(cells, "auroc") == [1, 2, 1]


def test_bold_is_all_that_cannot_be_told_from_the_best(tmp_path):
    """Whether rows differ is asked of the same resamples and seeds: 0.9 ± 0.1 beats 0.85 ± 0.1."""
    values._rows.cache_clear()
    values._drawn.cache_clear()
    common = np.random.default_rng(0).normal(0, 0.1, DRAWS)
    listed = []
    for i, (row, auroc, own) in enumerate([("a", 0.9, 0), ("b", 0.85, 0), ("c", 0.89, 0.1)]):
        file = tmp_path / f"{row}.parquet"
        metrics_of(file, [{"scorer": "s", "image_set": "x", "fpr95": 0.5, "auroc": auroc}])
        drawn = auroc + common + own * np.random.default_rng(i).normal(size=DRAWS)
        columns = {"scorer": ["s"], "image_set": ["x"], "auroc": vectors(drawn[None])}
        write_parquet(draws_of(file), pa.table(columns), {})
        listed.append(
            {
                "row": i, "row_label": row, "column": 0, "column_label": "X", "metric": "auroc",
                "scorer": "s", "sets": ["x"], "files": [str(file)], "missing": None,
                "reported": None, "backbone": "r",
            }
        )  # fmt: skip
    cells = values.evaluate(listed, Printed([]), 0.95)
    assert ranks(cells, "auroc") == [1, 2, 1]
    assert all(cell["low"] < cell["mean"] - 0.1 for cell in cells)
    assert all(cell["high"] == 1 for cell in cells)  # a share is no larger
    apart = [{**cell, "backbone": cell["row_label"]} for cell in listed]
    others = values.evaluate(apart, Printed([]), 0.95)
    assert ranks(others, "auroc") == [None] * 3  # each backbone is compared by itself


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_what_is_not_finite_is_told_and_has_no_rank(tmp_path, value):
    values._rows.cache_clear()
    values._drawn.cache_clear()
    listed = []
    for i, ratio in enumerate((value, 1.5, 1.25)):
        found = [
            {
                "scorer": "s",
                "image_set": "x",
                "fpr95": 0.5,
                "auroc": 0.5 + 0.1 * i,
                "norm_ratio": number,
            }
            for number in (ratio, 1.0)
        ]
        files = [str(tmp_path / f"{i}{seed}.parquet") for seed in (0, 1)]
        for file, row in zip(files, found, strict=True):
            metrics_of(Path(file), [row])
        listed += [
            {
                "row": i, "row_label": f"r{i}", "column": 0, "column_label": "X", "metric": metric,
                "scorer": "s", "sets": ["x"], "files": files, "missing": None, "reported": None,
                "backbone": "r",
            }
            for metric in ("norm_ratio", "auroc")
        ]  # fmt: skip
    cells = values.evaluate(listed, Printed([]), 0.95)
    assert [c["mean"] for c in cells if c["metric"] == "norm_ratio"] == [None, 1.25, 1.125]
    assert [c["rank"] for c in cells if c["metric"] == "norm_ratio"] == [None, 1, 1]
    assert told(cells) == ["r0: – stands where a number is not finite."]
    assert "| r0 | – | 50.00 ± 0.00 |" in to_markdown(arrange("T", [], cells))


def test_a_row_says_its_block_and_in_whose_place_it_was_read(tmp_path, planned):
    rows = [{"scorer": "s", "image_set": "x", "fpr95": 0.2, "auroc": 0.9}]
    of_block = [row | {"block": "layer4.1", "instead_of": "layer4.0"} for row in rows]
    files = [metrics_of(tmp_path / f"b{i}.parquet", of_block) for i in "01"]
    moved = {"files": files, "sets": ["x"]}
    cells = [c | moved if c["row_label"] == "B" else c for c in planned]
    evaluated = values.evaluate(cells, Printed([]), 0.95)
    (line,) = [line for line in told(evaluated) if "norm ratios" in line]
    assert line.startswith("B: the map lies behind layer4.0")
    table = arrange("T", [], evaluated)
    assert "| B | layer4.1 |" in to_markdown(table)
    assert "B & layer4.1 &" in to_latex(table)
    assert '<td class="small">layer4.1</td>' in to_html(table)
    lines = [line for line in to_csv(table).splitlines() if not line.startswith("#")]
    written = {row["row"]: row for row in csv.DictReader(lines)}
    assert (written["B"]["block"], written["A & B"]["block"]) == ("layer4.1", "")


def test_a_number_that_its_paper_contradicts_is_marked_where_it_is_shown(planned):
    of = [
        {"of": {"method": "A", "metric": "fpr95"}, "note": "Its parts give 12.30."},
        {"of": {"method": "B"}, "note": "Not printed here."},
    ]
    cells = values.evaluate(planned, Printed(PRINTED, of), 0.95)
    assert cell(cells, "A & B", "fpr95")["contradictions"] == ["Its parts give 12.30."]
    assert cell(cells, "A & B", "auroc")["contradictions"] == []
    table = arrange("T", ["a note"], cells)
    for text in (to_html(table), to_csv(table), to_markdown(table, beside=True)):
        assert "12.21 ± 1.3§1" in text
        assert "97.80§" not in text
        assert text.count("§1 Its parts give 12.30.") == 1
        assert "Not printed here" not in text
    assert "§" not in to_markdown(table) + to_latex(table)


def test_a_row_that_is_not_computed_shows_all_its_printed_numbers(planned):
    printed = [{**row, "method": "D"} for row in PRINTED]
    table = arrange("T", [], values.evaluate(planned, Printed(printed), 0.95))
    page = to_markdown(table, beside=True)
    assert "| D | – [12.21 ± 1.3] | not computed: no code was released [97.80] |" in page


def chosen_file(folder):
    """Six outliers of three categories, of which a filter keeps four."""
    rows = [
        {"outlier": f"o{i}", "category": category, "kept": kept}
        for i, (category, kept) in enumerate(
            [(1, True), (1, True), (1, False), (2, True), (3, True), (3, False)]
        )
    ]
    write_parquet(folder / "chosen.parquet", pa.Table.from_pylist(rows), {})
    return str(folder / "chosen.parquet")


@pytest.mark.parametrize(
    ("outliers", "share"), [("before", 3 / 6), ("after", 2 / 4), ("removed", 1 / 3)]
)
def test_what_is_removed_is_a_share_of_its_category(tmp_path, outliers, share):
    """As printed: 39 of 167 of a category are 23.4 %; the others are of all that is there."""
    cell = {"metric": "ood1_percent", "outliers": outliers}
    assert values.READERS["categories"](cell, chosen_file(tmp_path)) == pytest.approx(share)


def test_kept_outliers_are_counted(tmp_path):
    file = chosen_file(tmp_path)
    read = values.READERS["selections"]
    assert read({"metric": "kept_count"}, file) == 4
    assert read({"metric": "kept_share"}, file) == pytest.approx(4 / 6)
