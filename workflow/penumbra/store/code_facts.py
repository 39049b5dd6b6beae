"""What a source file imports, and a digest of what it does: read by `ast`, and kept by content.

Every plan and every job asks for hundreds of modules, and parsing them takes a second. So what is
found is kept in the user's cache, under the digest of the file's bytes.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import sys
from pathlib import Path
from typing import NamedTuple

import platformdirs

from penumbra.errors import PenumbraError
from penumbra.store.files import write_text

# What the facts hang on beside the files: this module as it was loaded, and Python.
READER = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
MOST = 5_000  # files' facts that are kept; every edit adds one, and then all begin anew
CACHE = platformdirs.user_cache_path("penumbra") / "code_facts.json"


class Facts(NamedTuple):
    """Dotted names in import statements (`from x import y` names x and x.y), and a digest."""

    names: list[str]
    digest: str


def of(file: Path) -> Facts:
    """The facts of a file of Python.

    Raises:
        PenumbraError: it is no Python, or an import is relative.
    """
    return _of(file, file.stat().st_mtime_ns)


@functools.cache
def _of(file: Path, _changed: int) -> Facts:
    text = file.read_bytes()
    key, known = hashlib.sha256(text).hexdigest(), _kept()
    if key not in known:
        known[key] = _read(file, text)
    return known[key]


def _read(file: Path, text: bytes) -> Facts:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise PenumbraError(f"{file}: no Python: {error}") from error
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise PenumbraError(f"{file}: relative imports are not followed; name the module")
            names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return Facts(sorted(set(names)), _digest(tree))


def _digest(tree: ast.Module) -> str:
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a text alone: a docstring, of an attribute too."""
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


EMPTY = _digest(ast.parse(""))  # of a file that does nothing


@functools.cache
def _kept() -> dict[str, Facts]:
    """What earlier processes found, by the digest of a file's bytes; at its end this one adds."""
    known: dict[str, Facts] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError, AttributeError):
        stored = json.loads(CACHE.read_text(encoding="utf-8"))
        if stored["by"] == READER and len(stored["facts"]) < MOST:
            known = {key: Facts(*facts) for key, facts in stored["facts"].items()}
    atexit.register(_keep, known, len(known))
    return known


def _keep(known: dict[str, Facts], before: int) -> None:
    if len(known) == before:
        return
    text = json.dumps({"by": READER, "facts": known})
    with contextlib.suppress(
        OSError, PenumbraError
    ):  # no home, or a full disk: the next process parses again
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        write_text(CACHE, text)
