"""What a source file imports, and a digest of what it does: read by `ast`, and kept by content.

Every plan and every job asks for hundreds of modules, and parsing them takes a second. So what is
found is kept in the user's cache, under the digest of the file's bytes: no clock decides.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import platformdirs

from penumbra.errors import PenumbraError

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
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
    return Facts(sorted(set(names)), digest)


@functools.cache
def _kept() -> dict[str, Facts]:
    """What earlier processes found, by the digest of a file's bytes; at its end this one adds."""
    known: dict[str, Facts] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):  # none, or one that broke off
        stored = json.loads(CACHE.read_text(encoding="utf-8"))
        if stored["by"] == _reader() and len(stored["facts"]) < MOST:
            known = {key: Facts(*facts) for key, facts in stored["facts"].items()}
    atexit.register(_keep, known, len(known))
    return known


def _keep(known: dict[str, Facts], before: int) -> None:
    if len(known) == before:
        return
    with contextlib.suppress(OSError):  # no home, or a full disk: the next process parses again
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=CACHE.parent, delete=False) as file:
            json.dump({"by": _reader(), "facts": known}, file)
        os.replace(file.name, CACHE)


def _reader() -> str:
    """What the facts hang on beside the files: this module, and Python."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
