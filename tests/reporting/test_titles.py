"""Titles of tables and figures: each says its paper and number, and is true in every world."""

import re

import pytest
import yaml

from penumbra.planning.world import World

NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|hundred|thousand"


@pytest.fixture(scope="module")
def titles(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    world = World(config, root / "config", [])
    names = [file.stem for file in sorted((root / "config/tables").glob("*.yaml"))]
    return {name: world.table(name)["title"] for name in names}


def test_each_says_its_paper_and_the_papers_number(titles):
    for name, title in titles.items():
        paper, kind, number = re.fullmatch(r"(\w+?)_(table|figure)?0*(\w+)", name).groups()
        where = f"{kind.title()} {number}" if kind else "not in the paper"
        assert title.startswith(f"{paper}, {where}. "), name


def test_no_two_are_equal(titles):
    assert len(set(titles.values())) == len(titles)


def test_none_states_a_number_of_classes(titles):
    for name, title in titles.items():
        assert not re.search(rf"(\d+|{NUMBERS})[- ]class", title, re.IGNORECASE), name


def test_none_calls_the_data_what_only_the_paper_has(titles):
    for name in ("uat_table03", "uat_table15", "uat_table16"):
        assert "where the paper has" in titles[name]
