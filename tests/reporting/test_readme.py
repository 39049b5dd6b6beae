"""What README says of tables, figures and calls is so."""

import re

import pytest
import yaml

from penumbra.cli import COMMANDS, parser
from penumbra.planning.tables import Tables
from penumbra.planning.titles import title
from penumbra.planning.world import World


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text()


@pytest.fixture(scope="module")
def world(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    return World(config, root / "config", [])


def test_the_report_names_tables_and_figures(readme):
    """Snakemake's report holds what the targets of its call made."""
    calls = re.findall(r"`snakemake ([^`]*)--report", readme)
    assert calls == ["all_tables all_figures "]


def test_how_many_tables_and_figures_there_are(readme, world, root):
    assert f"the {len(world.config['tables'])} tables" in readme
    assert f"the {len(world.config['figures'])} figures" in readme
    full = yaml.safe_load((root / "config/embedded-full.yaml").read_text(encoding="utf-8"))
    assert f"All {len(full['tables'])} tables and {len(full['figures'])} figures" in readme


def test_the_table_shown_has_its_title(readme, world):
    shown = title(world, world.table("uat_table10"), Tables(world).of("uat_table10"))
    assert f"\n**{shown}**\n" in readme
    for row in world.table("uat_table10")["rows"]:
        assert f"\n| {row['label']} |" in readme


def test_the_commands_in_it_exist(readme):
    rows = re.findall(r"^\| `penumbra ([^`]*)` \|", readme, re.MULTILINE)
    assert len(rows) == 12
    for call in rows:
        parser().parse_args(call.split())
    others = re.findall(r"^\$ penumbra (\S+)", readme, re.MULTILINE)
    assert set(others) == {"init", "run", "detector", "score"} <= set(COMMANDS)


def test_what_a_user_must_know_before_the_first_call(readme):
    for part in ("6.5 GB", "11 minutes", "half a minute more", "Intel Xeon", "--configfile A B"):
        assert part in readme
