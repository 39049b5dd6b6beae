"""docs/uat.md says of keys, defaults, recipes and printed numbers what config says."""

import dataclasses
import re

import pytest
import yaml

from penumbra.options.methods.uat import Options
from penumbra.planning import needs
from penumbra.planning.config import resolve_recipe

LINE = re.compile(r"^\| ([^|]*) \| ([^|]*) \| `([a-z0-9_.-]+)` \| ([^|]*) \|$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


@pytest.fixture(scope="module")
def text(root):
    return (root / "docs/uat.md").read_text()


@pytest.fixture(scope="module")
def world(world_of):
    return world_of("cifar-variants")


def default(key, config):
    """What a key of the page is in a config: `uat.…` is of the recipe of that name."""
    if key.startswith("uat."):
        resolved = resolve_recipe(config["recipes"], "uat", "resnet18")
        return resolved["options"][key.removeprefix("uat.")]
    section, name, *rest = key.split(".")
    entry = config[section]
    if section == "recipes":
        entry = {name: resolve_recipe(config["recipes"], name, "resnet18")}
        rest = ["options", *rest[1:]] if rest[0] == entry[name]["method"] else rest
    if section == "scorers" and rest[0] == "options" and "options" not in entry[name]:
        return needs.functions(entry[name]["module"])[0].options[rest[1]].default
    for each in (name, *rest):
        entry = entry[each]
    return entry


def test_every_option_of_algorithm_1_is_told(text):
    told = {key.removeprefix("uat.") for _, _, key, _ in LINE.findall(text) if key[:4] == "uat."}
    assert told == {field.name for field in dataclasses.fields(Options)}


def test_defaults_are_those_of_the_world_of_the_papers_size(text, world):
    lines = LINE.findall(text)
    assert len(lines) > 20
    for _, said, key, _ in lines:
        first = CODE.match(said)
        assert first, f"{key}: the default comes first, as code"
        assert yaml.safe_load(first[1]) == default(key, world.config), key


def test_what_the_embedded_world_has_otherwise_is_told(text, world, config):
    for _, said, key, _ in LINE.findall(text):
        if key.startswith("uat."):
            here = default(key, config)
            alike = here == default(key, world.config)
            assert alike or f"(`{here}`)" in said, key


def test_recipes_scorers_and_tables_that_it_names_are_there(text, world):
    known = {*world.config["recipes"], *world.config["scorers"], *world.reports.files}
    for _, _, key, besides in LINE.findall(text):
        for name in CODE.findall(besides):
            assert name in known, f"{key}: {name}"


def test_numbers_that_contradict_each_other_are_printed_or_told(root, text):
    """Every number with two decimals of the last section stands among the papers' in config."""
    files = [root / "config/reported/contradictions.csv", *root.glob("config/reported/uat_*.csv")]
    there = set(re.findall(r"\d+\.\d+", " ".join(file.read_text() for file in files)))
    found = re.findall(r"\d+\.\d\d+", text[text.index("## The paper's contradictions") :])
    assert len(found) > 20
    assert set(found) <= there


def test_its_links_lead_somewhere(root, text):
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (root / "docs" / link).is_file(), link
