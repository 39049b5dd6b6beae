"""`import penumbra`: what it offers, how little it costs, and that notebook and types hold."""

import ast
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import penumbra
from penumbra.store import closure

OFFERED = ["Detector", "__version__", "evaluate", "frame", "score_arrays", "scorers"]
CONSUMER = """
import penumbra
from penumbra import score_arrays

found = score_arrays(None, {"logits": [[1.0, 2.0]]}, {"far": {"logits": [[1.0, 1.0]]}}, ["msp"])
reveal_type(found.scores)
reveal_type(penumbra.__version__)
penumbra.evaluate(found.scores["msp"]["test"], [0.5], confidence="high")
penumbra.frame(3)
penumbra.scorer()
"""


def python(code, *flags):
    command = [sys.executable, *flags, "-c", code]
    environment = {"PYTHONPATH": str(closure.PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing():
    code = "import sys; before = {*sys.modules}; import penumbra; print(*{*sys.modules} - before)"
    assert python(code, "-S").split() == ["penumbra"]  # without site, whose .pth files import


def test_arrays_are_scored_without_torch():
    code = (
        "import sys, penumbra; penumbra.scorers()\n"
        "arrays = {'logits': [[0., 1.], [2., 0.]]}\n"
        "found = penumbra.score_arrays(None, arrays, {'far': arrays})\n"
        "penumbra.evaluate(found.scores['msp']['test'], found.scores['msp']['far'])\n"
        "penumbra.frame\n"
        "print('torch' in sys.modules, 'snakemake' in sys.modules)"
    )
    assert python(code).split() == ["False", "False"]


def test_the_planner_imports_nothing_that_computes():
    """Each takes seconds of every call of Snakemake, and of every job on a cluster."""
    code = (
        "import importlib, pkgutil, sys, penumbra.planning as planning\n"
        "for module in pkgutil.walk_packages(planning.__path__, 'penumbra.planning.'):\n"
        "    importlib.import_module(module.name)\n"
        "print('numpy' in sys.modules)\n"
        "slow = 'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'transformers', 'diffusers'\n"
        "print(*{*slow} & {*sys.modules})"
    )
    assert python(code).split() == ["True"]


def test_names_are_those_that_are_listed():
    assert penumbra.__all__ == OFFERED
    assert {*OFFERED} <= {*dir(penumbra)}
    assert penumbra.__version__.count(".") == 2
    assert penumbra.evaluate is penumbra.evaluate
    for name in ("evaluate", "frame", "score_arrays", "scorers"):
        assert getattr(penumbra, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'penumbra' has no attribute 'evaluates'"):
        _ = penumbra.evaluates
    with pytest.raises(ImportError):
        from penumbra import evaluates  # noqa: F401


def test_the_stub_names_the_same_modules():
    """Editors and mypy read the stub, as imports in the module itself would be in every digest."""
    tree = ast.parse((closure.PACKAGE / "__init__.pyi").read_text())
    stated = {
        alias.asname: node.module.removeprefix("penumbra.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert stated == penumbra._NAMES


def test_an_edit_of_the_names_is_in_no_digest(monkeypatch):
    roots = ["penumbra.stages.metrics"]
    code = closure.code_of(roots)
    assert "penumbra" in code["modules"]
    assert not [name for name in code["modules"] if "public" in name]
    assert closure.module_digest("penumbra") == closure.module_digest("penumbra.stages")


def test_types_are_those_of_the_functions(tmp_path, root):
    (tmp_path / "consumer.py").write_text(CONSUMER)
    flags = ["--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    command = [sys.executable, "-m", "mypy", *flags, "consumer.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"MYPYPATH": str(root / "workflow"), "PATH": ""},
        capture_output=True,
        text=True,
    )
    told = done.stdout
    assert 'Revealed type is "dict[str, dict[str, numpy.ndarray' in told.replace("builtins.", "")
    assert '"str"' in told.replace("builtins.", "")
    assert 'incompatible type "str"; expected "float"' in told
    assert 'Argument 1 to "frame" has incompatible type "int"' in told
    assert 'Module has no attribute "scorer"' in told
    assert "Found 3 errors" in told, told


def test_the_notebook_runs_and_keeps_no_output(root, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows pictures
    notebook = nbformat.read(root / "examples/own_scores.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown)
    (table,) = [o for o in cells[2].outputs if o.output_type == "execute_result"]
    assert "auroc_low" in table["data"]["text/plain"]
