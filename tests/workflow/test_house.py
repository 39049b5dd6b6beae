"""Rules of the house that no linter knows."""

import re

import pytest
import yaml

from penumbra.planning.paths import TEMPLATES
from penumbra.plugins import names
from penumbra.stages.shared.job import ORDER


def tracked(root, *suffixes):
    skipped = {".venv", ".git", "results", "scratch", "logs", ".snakemake"}
    for path in root.rglob("*"):
        inside = not skipped & set(path.relative_to(root).parts)
        if inside and path.is_file() and path.suffix in suffixes:
            yield path


def test_rules_call_stages_by_module_and_log(root):
    for file in (root / "workflow/rules").glob("*.smk"):
        for block in re.split(r"\n(?=rule )", file.read_text())[1:]:
            if block.startswith("rule all_"):
                continue
            rule = re.match(r"rule (\w+):", block)[1]
            body = block.split("\nfor ")[0]
            assert re.search(rf"starter python -m penumbra\.stages\.{rule}\b", body)
            assert "    log:\n" in body
            assert re.match(r'rule \w+:\n    """[A-Z].*\."""\n', block), rule
            assert "| keep {log:q}" in body
            assert len(re.findall(r"\n +spec=\w+\.(?:\w+_)?spec,|spec=partial", body)) == 1, rule
            assert not re.search(r"\n    (run|script|message):", body)
            assert (root / f"workflow/penumbra/stages/{rule}.py").is_file()


def test_a_line_of_a_job_names_all_that_its_path_was_given():
    given = {name for template in TEMPLATES.values() for name in re.findall(r"{(\w+)}", template)}
    assert given == set(ORDER)


def test_the_default_profile_says_only_how_results_are_kept(root):
    """It beats --profile key by key, so that what a site or a user decides must not stand in it."""
    profile = yaml.safe_load((root / "profiles/default/config.yaml").read_text())
    assert set(profile) == {"rerun-incomplete", "max-checksum-file-size"}
    assert not (root / "default").exists()


def test_every_scorer_says_what_it_needs_and_has_a_config_line(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    modules = {entry["module"] for entry in config["scorers"].values() if entry}
    assert modules == set(names("scores"))


def test_conda_environment_has_the_same_pins(root):
    scope = {}
    source = (root / "envs/make_conda.py").read_text().split("if __name__")[0]
    exec(source.replace("__file__", repr(str(root / "envs/x.py"))), scope)
    wanted = scope["conda_environment"]((root / "envs/requirements.txt").read_text())
    assert (root / "envs/penumbra.yaml").read_text() == wanted
    assert "torch==" in wanted


def test_every_pin_has_a_hash_and_no_address(root):
    for name in ("requirements.txt", "bootstrap.txt"):
        text = (root / "envs" / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z].*==", text, re.MULTILINE)
        assert pins
        hashed = re.findall(r"^[a-z][^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(hashed) == len(pins)


@pytest.mark.parametrize("command", ["make tables", "make test"])
def test_readme_begins_with_the_two_commands(root, command):
    assert command in (root / "README.md").read_text()[:1500]
    assert f"\n{command.split()[1]}:" in (root / "Makefile").read_text()


def test_files_are_short(root):
    long = [p for p in tracked(root / "workflow", ".py") if len(p.read_text().splitlines()) > 260]
    assert not long
