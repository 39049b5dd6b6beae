"""A file of Python of the user's own that jobs run, and a digest of all that it brings along."""

import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

from penumbra.store import closure, code_facts


def source(folder: Path, module: str) -> Path | None:
    """The file of a module that lies in a folder: `a/b.py` or `a/b/__init__.py` of a.b, or None."""
    base = folder.joinpath(*module.split("."))
    files = (base.with_suffix(".py"), base / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def digest(folder: Path, module: str) -> str:
    """What the module in a folder does: its file, files of the folder that these import, packages.

    As of the project's own modules, comments do not count, and packages count by their versions.

    Raises:
        PenumbraError: a file is no Python, or an import is relative.
    """
    digests: dict[str, str] = {}
    ours: set[str] = set()
    packages: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        file = source(folder, name)
        if name in digests or file is None:
            continue
        facts = code_facts.of(file)
        digests[name] = facts.digest
        for imported in facts.names:
            top = imported.split(".")[0]
            if top == closure.NAME:
                ours.add(imported)
            elif source(folder, top) or (folder / top).is_dir():
                queue += closure.with_parents(imported)
            elif top not in sys.stdlib_module_names:
                packages.add(top)
    text = json.dumps([digests, _versions(packages), _of_project(ours)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _versions(packages: set[str]) -> dict[str, list[str]]:
    """Versions of the distributions behind import names; none of what is not installed."""
    providers = importlib.metadata.packages_distributions()
    return {
        name: sorted(importlib.metadata.version(each) for each in set(providers.get(name, [])))
        for name in packages
    }


def _of_project(names: set[str]) -> object:
    modules = sorted(name for name in names if closure.exists(name))
    return closure.code_of(modules)["digest"] if modules else None
