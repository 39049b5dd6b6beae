"""Which jobs an edit of one file makes Snakemake run again: those that read it, no others."""

import pytest

from tests.workflow.conftest import csv_rows

MODEL = "benchmark=digits, backbone=resnet18, recipe={}, seed=0"
READING = MODEL + ", input={}"


def scoring(recipe, given, *scorers):
    return {READING.format(recipe, given) + f", scorer={s}" for s in scorers}


def jobs(rule, wildcards):
    return {(rule, text) for text in wildcards}


TABLES = jobs("tables", {"table=uat_table01", "table=uat_table13"})
MAP = ("uat", "map-uat")
CLEAN = READING.format("standard", "clean")


def test_nothing_to_do_twice(again):
    assert again.planned() == set()
    assert again.planned() == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("store/files.py", "no space is left to write it", "there is no space left to write it"),
        ("store/seals.py", "damaged, or not of this project", "damaged or none of this project's"),
        ("stages/shared/job.py", "the code changed after", "the code was changed after"),
        ("training/resume.py", "starting from scratch", "starting anew"),
    ],
)
def test_plumbing(again, file, old, new):
    """A message of what only carries results."""
    again.edit(f"workflow/penumbra/{file}", old, new)
    assert again.planned() == set()


def test_a_scorer(again):
    """CCFN's scores, their metrics and the tables that show them; no training, no other scorer."""
    again.edit("workflow/penumbra/scores/ccfn.py", "return norm.mean(1)", "return norm.sum(1)")
    variants = [f"ccfn-{v}" for v in ("none", "l2", "var", "mean", "min")]
    changed = scoring(*MAP, "ccfn", "ccfn-fixed", *variants)
    measured = {READING.format(*MAP)}
    assert again.planned() == jobs("scores", changed) | jobs("metrics", measured) | TABLES


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        ("react", "np.minimum(z, threshold)", "z.clip(None, threshold)", ("fits", "scores")),
        ("odin", "moved = x - eps *", "moved = x + -eps *", ("scores_network",)),
    ],
)
def test_a_fitted_scorer_and_one_of_the_network(again, file, old, new, rules):
    """That scorer's own fit and scores, then metrics; its features are there, no other runs."""
    again.edit(f"workflow/penumbra/scores/{file}.py", old, new)
    changed = scoring("standard", "clean", file)
    steps = [jobs(rule, changed) for rule in rules] + [jobs("metrics", {CLEAN})]
    assert again.planned() == jobs("tables", {"table=uat_table01"}).union(*steps)


def test_metrics(again):
    """Every metric and table, no score."""
    again.edit("workflow/penumbra/evaluation/metrics.py", "RECALL = 0.95", "RECALL = 0.950")
    assert again.planned() == set()  # the same number
    again.edit("workflow/penumbra/evaluation/metrics.py", "RECALL = 0.950", "RECALL = 0.94")
    planned = again.planned()
    assert {rule for rule, _ in planned} == {"metrics", "tables"}
    assert jobs("metrics", {CLEAN}) <= planned


def test_the_training_loop(again):
    """All models and what is read from them, no image set."""
    again.edit("workflow/penumbra/training/loop.py", "loss.backward()", "loss.backward(None)")
    planned = again.planned()
    assert jobs("models", {MODEL.format("standard"), MODEL.format("uat")}) <= planned
    assert {rule for rule, _ in planned} == {
        *("models", "blocks", "outputs", "statistics", "fits", "fits_network"),
        *("scores", "scores_network"),
        *("metrics", "tables", "figures"),
    }


def test_one_training_method(again):
    """UAT's models alone."""
    again.edit("workflow/penumbra/training/methods/uat.py", ".clamp(-1, 1)", ".clamp(-1.0, 1.0)")
    planned = again.planned()
    assert {w for r, w in planned if r == "models"} == {MODEL.format("uat")}
    assert {w for r, w in planned if r in ("outputs", "statistics")} == {
        READING.format("uat", "map-uat") + f", block={block}" for block in ("selected", "layer4.0")
    }


def test_a_network_that_no_table_uses(again):
    again.edit(
        "workflow/penumbra/networks/backbones/vgg11.py", "nn.MaxPool2d(2)]", "nn.MaxPool2d(2, 2)]"
    )
    assert again.planned() == set()


def test_a_comment(again):
    again.edit(
        "workflow/penumbra/training/loop.py",
        "        loss.backward()",
        "        # why\n        loss.backward()",
    )
    assert again.planned() == set()


def test_a_docstring(again):
    again.edit(
        "workflow/penumbra/scores/ccfn.py", "the paper: `l2_whole_map`", "it: `l2_whole_map`"
    )
    assert again.planned() == set()


def test_a_tables_title(again):
    """That table alone."""
    again.edit(
        "config/tables/uat_table13.yaml", "title: uat, Table 13.", "title: The thirteenth table."
    )
    assert again.planned() == jobs("tables", {"table=uat_table13"})


def test_a_tables_new_row(again):
    """The new row's scores and metrics, on features that are there; and that table."""
    again.edit(
        "config/tables/uat_table13.yaml",
        "rows:\n",
        "rows:\n  - {label: Last block, recipe: uat, input: map, scorer: fn}\n",
    )
    # FN on x + L is a row of Table 1 already, so only the table is new.
    assert again.planned() == jobs("tables", {"table=uat_table13"})
    again.edit(
        "config/tables/uat_table13.yaml",
        "recipe: uat, input: map, scorer: fn}",
        "recipe: uat, scorer: fn}",
    )
    new = scoring("uat", "clean", "fn")
    reading = {READING.format("uat", "clean") + ", block=selected"}
    assert again.planned() == (
        jobs("statistics", reading)
        | jobs("scores", new)
        | jobs("metrics", {READING.format("uat", "clean")})
        | jobs("tables", {"table=uat_table13"})
    )


def test_a_learning_rate(again):
    """The models of that recipe and of those that extend it."""
    again.edit("config/config.yaml", "    lr: 0.05\n", "    lr: 0.06\n")
    models = {w for r, w in again.planned() if r == "models"}
    assert models == {MODEL.format("standard"), MODEL.format("uat")}


def test_a_key_of_one_recipe(again):
    again.edit("config/config.yaml", "      step_size: 0.5\n", "      step_size: 0.4\n")
    models = {w for r, w in again.planned() if r == "models"}
    assert models == {MODEL.format("uat")}


def test_two_values_that_change_places(again):
    """Snakemake compares params as a set; the spec's names keep them apart."""
    again.edit("config/config.yaml", "    lr: 0.05\n", "    lr: 0.9\n")
    again.edit("config/config.yaml", "    momentum: 0.9\n", "    momentum: 0.05\n")
    assert {w for r, w in again.planned() if r == "models"} == {
        MODEL.format("standard"),
        MODEL.format("uat"),
    }


def test_a_scorers_option(again):
    again.edit(
        "config/config.yaml",
        "energy: {module: energy}",
        "energy: {module: energy, options: {temperature: 2}}",
    )
    changed = scoring("standard", "clean", "energy")
    assert again.planned() == (
        jobs("scores", changed) | jobs("metrics", {CLEAN}) | jobs("tables", {"table=uat_table01"})
    )


def test_a_key_that_no_table_reads(again):
    again.edit(
        "config/config.yaml",
        "uat-tau3: {extends: uat, uat: {tau: 3}}",
        "uat-tau3: {extends: uat, uat: {tau: 4}}",
    )
    assert again.planned() == set()


@pytest.fixture
def guide(root):
    return (root / "docs/extending.md").read_text()


def test_a_scorer_of_your_own(again, guide):
    """The file and the two lines that docs/extending.md shows; the row is computed for real."""
    source = guide.split("```python\n")[1].split("```")[0]
    entry, row = (part.split("```")[0] for part in guide.split("```yaml\n")[1:3])
    assert len(source.splitlines()) <= 20
    (again.folder / "workflow/penumbra/scores/nearest_mean.py").write_text(source)
    again.edit("config/config.yaml", "scorers:\n", entry)
    again.edit("config/tables/uat_table01.yaml", "rows:\n", "rows:\n" + row)
    new = scoring("standard", "clean", "nearest-mean")
    shown = jobs("tables", {"table=uat_table01"})
    steps = [jobs(rule, new) for rule in ("fits", "scores")] + [jobs("metrics", {CLEAN})]
    assert again.planned() == shown.union(*steps)
    again.run("uat_table01")
    first, *_ = csv_rows(again.folder / "results/tiny/tables/uat_table01.csv")
    assert first["row"] == "Nearest mean"
    assert 0 <= float(first["Average AUROC ↑ mean"]) <= 100
