"""Modules chosen by a name in the config: scorers, networks, training methods, figures.

The rule that runs such a module adds it to the roots of its code closure, so this is the one
import that is not static.
"""

import functools
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from penumbra.errors import unknown

HERE = Path(__file__).resolve().parent


def names(package: str) -> list[str]:
    """The modules of `penumbra.<package>`."""
    return list(_modules(HERE.joinpath(*package.split("."))))


@functools.cache  # a plan asks thousands of times
def _modules(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(info.name for info in pkgutil.iter_modules([str(folder)])))


def load(package: str, name: str) -> ModuleType:
    """Import `penumbra.<package>.<name>`.

    Raises:
        PenumbraError: there is no such module; the valid names are listed.
    """
    if name not in names(package):
        raise unknown("module", name, names(package), f"penumbra/{package}")
    return importlib.import_module(f"penumbra.{package}.{name}")
