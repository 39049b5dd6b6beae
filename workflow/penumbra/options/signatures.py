"""What a plugin states of its options in a function's signature, read without importing it.

A scorer, a backbone or a calibration is one file; many import torch, which planning does without.
Annotations are evaluated with the names of `typing`, `collections.abc` and `penumbra.options`, and
those that the file itself sets beside its functions. One that can't be is taken for `Any`.
"""

import ast
import collections.abc
import functools
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from penumbra.errors import PenumbraError
from penumbra.options import ranges
from penumbra.options.check import HIDDEN, Problem, Statement, parameters
from penumbra.options.expressions import worth

MODULES = {"typing": typing, "collections.abc": collections.abc, "penumbra.options.ranges": ranges}
TYPES = {t.__name__: t for t in (int, float, str, bool, list, tuple, dict, set)}
RULES = "TOGETHER"


class Function(NamedTuple):
    """Names of the parameters that come first; options by name; whether it takes any other.

    `about` is its docstring, `rules` say what goes together.
    """

    leading: tuple[str, ...]
    options: Mapping[str, Statement]
    takes_any: bool
    about: str
    rules: tuple[Any, ...] = ()

    def problems(self, given: Any) -> Iterator[Problem]:
        """What is wrong with arguments by name."""
        for problem in parameters(self.options, given, rules=self.rules):
            if problem.kind != "name" or not self.takes_any:
                yield problem


class Plugin(NamedTuple):
    """The functions of a file, and the modules of those it imports."""

    functions: Mapping[str, Function]
    imported: Mapping[str, str]


def plugin(file: Path) -> Plugin:
    """What a file of Python states.

    Raises:
        PenumbraError: it is no Python.
    """
    return _plugin(file, file.stat().st_mtime_ns)


@functools.cache
def _plugin(file: Path, _changed: int) -> Plugin:
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError) as error:
        raise PenumbraError(f"{file}: no Python: {error}") from error
    known: dict[str, Any] = {**TYPES, "typing": typing}
    functions: dict[str, Function] = {}
    imported: dict[str, str] = {}
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                known[alias.asname or alias.name] = getattr(MODULES[node.module], alias.name, Any)
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: str(node.module) for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            _set(known, node.targets[0].id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            _set(known, node.target.id, node.value)
        elif isinstance(node, ast.ClassDef) and "TypedDict" in map(ast.unparse, node.bases):
            known[node.name] = _typed_dict(node, known)
        elif isinstance(node, ast.FunctionDef):
            functions[node.name] = _function(node, known)
    rules = tuple(known.get(RULES, ()))
    return Plugin({k: each._replace(rules=rules) for k, each in functions.items()}, imported)


def _set(known: dict[str, Any], name: str, value: ast.expr) -> None:
    evaluated = _value(value, known)
    if evaluated is not MISSING:
        known[name] = evaluated


def _typed_dict(node: ast.ClassDef, known: Mapping[str, Any]) -> Any:
    """The class of a mapping whose keys have types of their own."""
    keys = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    hints = {ast.unparse(key.target): _hint(key, known) for key in keys}
    return TypedDict(node.name, hints)  # type: ignore[operator]


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression is worth, or MISSING where it needs more than is known."""
    try:
        return worth(node, known)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return MISSING


def _function(node: ast.FunctionDef, known: Mapping[str, Any]) -> Function:
    """Options are the parameters with a default, those by keyword only, and `build`'s after one."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    first = len(arguments) - len(node.args.defaults)
    leading = 1 if node.name == "build" else first
    defaults = [*([None] * first), *node.args.defaults]
    pairs = list(zip(arguments, defaults, strict=True))[leading:]
    pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    options = {arg.arg: Statement(_hint(arg, known), _default(d, known)) for arg, d in pairs}
    names = tuple(arg.arg for arg in arguments[:leading])
    return Function(names, options, node.args.kwarg is not None, ast.get_docstring(node) or "")


def _hint(arg: ast.arg | ast.AnnAssign, known: Mapping[str, Any]) -> Any:
    hint = MISSING if arg.annotation is None else _value(arg.annotation, known)
    if isinstance(hint, str):  # an annotation in quotes
        hint = _value(ast.parse(hint, mode="eval").body, known)
    return Any if hint is MISSING else hint


def _default(node: ast.expr | None, known: Mapping[str, Any]) -> Any:
    """The default; one that can't be known counts as there."""
    if node is None:
        return MISSING
    default = _value(node, known)
    return HIDDEN if default is MISSING else default
