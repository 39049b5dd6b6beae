"""The code closure: transitive, exact, blind to comments; and the rules that keep it so."""

import os
import subprocess
import sys

import pytest

from penumbra.errors import PenumbraError
from penumbra.store import closure, code_facts

PACKAGE = closure.PACKAGE
ORDER = (
    ["errors", "seeds", "plugins", "numerics", "home", "machine"], ["store"], ["options"],
    ["images"], ["networks"], ["outliers"], ["calibration"], ["training"], ["parts"], ["scores"],
    ["evaluation"], ["detector"], ["audit"], ["reporting"], ["calls"], ["planning"], ["public"],
    ["own"], ["stages"], ["commands"], ["cli", "__main__"],
)  # fmt: skip


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module):
    part = module.split(".")[1] if "." in module else None
    return next((i for i, names in enumerate(ORDER) if part in names), None)


def test_imports_run_one_way():
    wrong = []
    for _, module in modules():
        for target in closure.imports(module)[0]:
            if "." in target and layer(target) > layer(module):
                wrong.append(f"{module} imports {target}")
    assert not wrong


def test_inits_are_empty():
    """But for the package's own, which offers names to users; no digest has it."""
    filled = [path for path in PACKAGE.rglob("__init__.py") if path.read_text().strip()]
    assert filled == [PACKAGE / "__init__.py"]
    assert closure.imports("penumbra") == (frozenset(), frozenset())
    assert closure.module_digest("penumbra") == closure.module_digest("penumbra.store")


def test_only_plugins_import_by_name():
    for path, module in modules():
        if "import_module" in path.read_text() or "__import__" in path.read_text():
            assert module in ("penumbra", "penumbra.plugins", "penumbra.networks.backbones.python")


def test_closure_is_transitive_and_exact():
    scores = closure.closure(("penumbra.stages.scores", "penumbra.scores.ccfn"))[0]
    assert "penumbra.evaluation.finite" in scores
    assert "penumbra.evaluation.metrics" not in scores
    assert "penumbra.scores.ccfn" in scores
    assert not any("training" in module or "scores.msp" in module for module in scores)
    models, packages = closure.closure(
        ("penumbra.stages.models", "penumbra.training.methods.standard")
    )
    assert "penumbra.networks.base" in models  # through inference and the loop
    assert "penumbra.training.methods.uat" not in models
    assert "torch" in packages


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        ("# a comment\nx = 1\n", False),
        ('"""Another docstring."""\n\nx = 1\n"""What x is."""\n', False),
        ("x = (1)\n", False),
        ("x = 2\n", True),
    ],
)
def test_digest_sees_code_only(tmp_path, edit, changes):
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text('"""One."""\nx = 1\n')
    second.write_text(edit)
    assert (code_facts.of(first).digest != code_facts.of(second).digest) == changes


@pytest.mark.parametrize(
    ("text", "message"), [("from . import x", "name the module"), ("x =", "no Python")]
)
def test_what_cannot_be_followed_is_refused(tmp_path, text, message):
    (tmp_path / "made.py").write_text(text)
    with pytest.raises(PenumbraError, match=rf"made\.py: .*{message}"):
        code_facts.of(tmp_path / "made.py")


ASKED = """
import sys
from pathlib import Path
from penumbra.store import code_facts
code_facts.CACHE = Path(sys.argv[1])
if sys.argv[3:]:
    code_facts.ast.parse = None
print(*code_facts.of(Path(sys.argv[2])))
"""


def test_facts_are_kept_by_content_alone(tmp_path):
    """A second process parses nothing; an edit of one file, its time set back, is seen."""
    cache, file = tmp_path / "cache/facts.json", tmp_path / "made.py"

    def ask(*flags):
        command = [sys.executable, "-c", ASKED, str(cache), str(file), *flags]
        environment = {"PYTHONPATH": str(PACKAGE.parent)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.stdout or done.stderr

    file.write_text("import one\n")
    time = file.stat().st_mtime_ns
    first = ask()
    assert first.startswith("['one']")
    assert ask("without parsing") == first
    file.write_text("import two\n")
    os.utime(file, ns=(time, time))
    assert ask().startswith("['two']")
    cache.write_text("{broken")
    assert ask().startswith("['two']")


def test_versions_of_packages_are_known():
    versions = closure.package_versions(("PIL", "sklearn", "torch", "yaml"))
    assert {name.lower() for name in versions} == {"pillow", "scikit-learn", "torch", "pyyaml"}
    assert all(version[0].isdigit() for version in versions.values())


def test_a_module_outside_the_closure_is_found():
    import penumbra.scores.msp

    assert penumbra.scores.msp.NEEDS == ("logits",)
    strays = closure.strays(["penumbra.stages.metrics"])
    assert "penumbra.scores.msp" in strays
    assert "penumbra.evaluation.metrics" not in strays


def test_plumbing_is_in_no_digest_and_yet_no_stray():
    code = closure.code_of(["penumbra.stages.models", "penumbra.training.methods.standard"])
    modules = closure.closure(("penumbra.stages.models", "penumbra.training.methods.standard"))[0]
    carried = {"penumbra.errors", "penumbra.store.files", "penumbra.store.seals"}
    assert carried <= set(modules)
    assert not carried & set(code["modules"])
    assert "penumbra.store.columns" in code["modules"]
    assert not [name for name in code["modules"] if closure.is_plumbing(name)]
    named = {f"penumbra.{name}" for name in closure.PLUMBING}
    assert all(closure.exists(name) for name in named)


def test_the_format_is_in_every_digest(monkeypatch):
    before = closure.code_of(["penumbra.stages.metrics"])["digest"]
    monkeypatch.setattr(closure, "FORMAT", closure.FORMAT + 1)
    assert closure.code_of(["penumbra.stages.metrics"])["digest"] != before
