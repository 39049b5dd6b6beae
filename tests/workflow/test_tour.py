"""docs/tour.md stays true: its files, its rule graph, and words with one meaning each."""

import ast
import re

import pytest

FILE = re.compile(r"`((?:[a-z_]+/)+[\w.]+\.(?:py|yaml|smk|md)|Snakefile)`")
# Where names in code may speak of these; elsewhere each had a second meaning once.
AT_HOME = {
    "stage": ("stages/", "store/", "planning/", "calls/", "audit/"),
    "shard": (
        "planning/",
        "training/",
        "outliers/",
        "stages/",
        "reporting/",
        "calibration/",
        "commands/",
    ),
    "part": (
        "parts/",
        "planning/",
        "training/",
        "stages/",
        "options/",
        "outliers/",
        "audit/",
        "commands/",
    ),
}
# As published.
PUBLISHED = {"cond_stage_model", "first_stage", "FIRST_STAGE"}


@pytest.fixture(scope="module")
def tour(root):
    return (root / "docs/tour.md").read_text(encoding="utf-8")


def test_every_file_that_it_names_is_there(root, tour):
    named = {name for name in FILE.findall(tour) if not name.startswith("results/")}
    assert len(named) > 30
    for name in named:
        places = (root / name, root / "workflow/penumbra" / name, root / "docs" / name)
        assert any(place.is_file() for place in places), name


def test_the_rule_graph_is_the_workflows(tour, checkout):
    full = ("--configfile", "config/embedded-full.yaml")
    drawn = checkout.snakemake("all_tables", "--rulegraph", "--quiet", "all", *full).stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', drawn))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", drawn)}
    wanted = {edge for edge in edges if edge[1] != "all_tables"}
    assert set(re.findall(r"^  (\w+) --> (\w+)$", tour, re.MULTILINE)) == wanted


def identifiers(tree):
    """Names that code gives to functions, classes, arguments, attributes and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_words_keep_to_where_they_have_their_meaning(root):
    package = root / "workflow/penumbra"
    strayed = []
    for file in sorted(package.rglob("*.py")):
        inside = str(file.relative_to(package))
        names = set(identifiers(ast.parse(file.read_text(encoding="utf-8")))) - PUBLISHED
        strayed += [f"{inside}: {name}" for name in names if name == "found"]
        for word, homes in AT_HOME.items():
            if not inside.startswith(homes):
                pattern = re.compile(rf"(?:^|_){word}s?(?:_|$)", re.IGNORECASE)
                strayed += [f"{inside}: {name}" for name in names if pattern.search(name)]
    assert not strayed
