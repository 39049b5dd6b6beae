"""Titles in the files of tables and figures: paper, number, and nothing that a world may lack."""

import re

import pytest
import yaml

from penumbra.planning.world import World

NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|hundred|thousand"
# Paper, kind, the paper's number; further words tell a second file of one number apart.
NAME = re.compile(r"([a-z]+)_(table|figure)?0*([^_]+)(?:_\w+)?")


@pytest.fixture(scope="module")
def titles(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    world = World(config, root / "config", [])
    names = [file.stem for file in sorted((root / "config/tables").glob("*.yaml"))]
    return {name: world.table(name)["title"] for name in names}


def test_each_says_its_paper_and_the_papers_number(titles):
    of_papers = {name: title for name, title in titles.items() if not name.startswith("own_")}
    for name, title in of_papers.items():
        paper, kind, number = NAME.fullmatch(name).groups()
        where = f"{kind.title()} {number}" if kind else "not in the paper"
        assert title.startswith(f"{paper}, {where}. "), name


def test_no_two_are_equal(titles):
    assert len(set(titles.values())) == len(titles)


def test_none_states_a_number_of_classes(titles):
    for name, title in titles.items():
        assert not re.search(rf"(\d+|{NUMBERS})[- ]class", title, re.IGNORECASE), name


def test_none_names_data_which_a_world_may_not_have(titles):
    """A world adds its own data to the title of a table."""
    named = r"CIFAR|ImageNet|MIDOG|SpaceNet|SynIS|Syn-IS|[Dd]igit|histolog|aerial|satellite"
    for name, title in titles.items():
        assert not re.search(named, title), name
