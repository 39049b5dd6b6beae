"""Which first-party modules and packages a stage imports, and a digest of them.

Snakemake sees neither. The closure is read from the source by `ast`, so it is known before a job
runs; comments, docstrings and blank lines do not count.
"""

import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from penumbra.store import code_facts

PACKAGE = Path(__file__).resolve().parents[1]
NAME = PACKAGE.name
# How bytes lie on disk. Whoever changes that on purpose, in the modules of PLUMBING above all,
# raises it, and all is computed anew (tests/workflow/test_bytes.py notices).
FORMAT = 1
# What carries results without deciding them: messages, the check of options, files, seals, the
# frame of a stage, saved states. An edit there reruns nothing.
PLUMBING = (
    *("errors", "plugins", "options.check", "options.ranges"),
    *("store.artifacts", "store.checked", "store.closure", "store.code_facts", "store.files"),
    *("store.notes", "store.origins", "store.seals", "store.user_code"),
    *("stages.shared.job", "stages.shared.resuming", "training.resume"),
)


@functools.cache
def source(module: str) -> Path:
    """The file of a first-party module; of a package its `__init__`."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def exists(module: str) -> bool:
    """Whether a dotted name is a first-party module."""
    return source(module).is_file()


@functools.cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """First-party modules and third-party packages that `module` names in import statements.

    Raises:
        PenumbraError: an import is relative.
    """
    ours: set[str] = set()
    theirs: set[str] = set()
    for name in code_facts.of(source(module)).names:
        top = name.split(".")[0]
        if top == NAME:
            ours.update(filter(exists, with_parents(name)))
        elif top not in sys.stdlib_module_names:
            theirs.add(top)
    return frozenset(ours), frozenset(theirs)


def with_parents(name: str) -> list[str]:
    """A dotted name and the packages whose `__init__` runs before it."""
    words = name.split(".")
    return [".".join(words[:i]) for i in range(1, len(words) + 1)]


@functools.cache
def closure(roots: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All first-party modules reached from `roots`, and the packages that those import.

    Packages that plumbing alone imports decide no number, and are left out.
    """
    modules: set[str] = set()
    packages: set[str] = set()
    queue = list(roots)
    while queue:
        module = queue.pop()
        if module in modules:
            continue
        if not exists(module):
            raise FileNotFoundError(f"no module {module} in {PACKAGE.parent}")
        modules.add(module)
        ours, theirs = imports(module)
        queue.extend({*ours, *with_parents(module)})
        packages.update(() if is_plumbing(module) else theirs)
    return tuple(sorted(modules)), tuple(sorted(packages))


def module_digest(module: str) -> str:
    """A digest of what `module` does: its syntax tree without docstrings.

    The package's own `__init__` counts as empty: it offers names to users, and no stage asks it.
    """
    if module == NAME:
        return code_facts.EMPTY
    return code_facts.of(source(module)).digest


# Distributions whose name is not that of the module they install.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "scikit_posthocs": "scikit-posthocs",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


@functools.cache
def package_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the distributions behind import names; "none" of an optional one."""
    names = sorted(DISTRIBUTIONS.get(package, package) for package in packages)
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def is_plumbing(module: str) -> bool:
    """Whether an edit of a first-party module reruns nothing."""
    inside = module.removeprefix(f"{NAME}.")
    return any(inside == name or inside.startswith(f"{name}.") for name in PLUMBING)


def code_of(roots: Iterable[str]) -> dict[str, object]:
    """What `roots` would run: one digest, each module's digest, and package versions."""
    modules, packages = closure(tuple(sorted(roots)))
    digests = {module: module_digest(module) for module in modules if not is_plumbing(module)}
    versions = package_versions(packages)
    whole = json.dumps([FORMAT, digests, versions], sort_keys=True)
    return {
        "format": FORMAT,
        "digest": hashlib.sha256(whole.encode()).hexdigest()[:16],
        "modules": digests,
        "packages": versions,
    }


def everything() -> str:
    """One digest of all that stages and the planner do, plumbing left out."""
    files = (f.relative_to(PACKAGE.parent).with_suffix("") for f in PACKAGE.rglob("*.py"))
    names = sorted(".".join(f.parts).removesuffix(".__init__") for f in files)
    digests = {name: module_digest(name) for name in names if not is_plumbing(name)}
    return hashlib.sha256(json.dumps([FORMAT, digests]).encode()).hexdigest()


def strays(roots: Iterable[str]) -> list[str]:
    """First-party modules that this process has loaded and the closure of `roots` lacks."""
    known = set(closure(tuple(sorted(roots)))[0])
    loaded = {name for name in sys.modules if name == NAME or name.startswith(NAME + ".")}
    return sorted(name for name in loaded - known if exists(name))
