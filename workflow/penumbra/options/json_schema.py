"""JSON Schema of what is stated: of a type, a class of options, a function's parameters.

Nothing is required: files of a config are laid over each other, and each says what differs.
"""

import ast
import functools
import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

from penumbra.options.check import WORDS, Statement, stated

Schema = dict[str, Any]


def of_hint(hint: Any) -> Schema:
    """The schema of a type with what else is stated of it; of a type that is not known, of any."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is Annotated:
        keywords = (dict(getattr(mark, "keywords", {})) for mark in arguments[1:])
        return functools.reduce(dict.__or__, keywords, of_hint(arguments[0]))
    if origin in (Union, UnionType):
        return {"anyOf": [of_hint(each) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": of_hint((*arguments, Any, Any)[1])}
    if origin in (list, tuple, Sequence):
        return {"type": "array"} | _of_entries(origin, arguments)
    if isinstance(hint, type) and (typing.is_typeddict(hint) or is_dataclass(hint)):
        about = {"description": paragraph(inspect.getdoc(hint))} if is_dataclass(hint) else {}
        return about | of_statements(stated(hint), described(hint))
    kind = NoneType if hint is None else hint
    return {"type": WORDS[kind]} if isinstance(kind, type) and kind in WORDS else {}


def _of_entries(origin: Any, hints: tuple[Any, ...]) -> Schema:
    if origin is tuple and hints and hints[-1] is not Ellipsis:
        count = len(hints)
        return {"prefixItems": [*map(of_hint, hints)], "minItems": count, "maxItems": count}
    return {"items": of_hint(hints[0] if hints else Any)}


def of_statements(
    statements: Mapping[str, Statement], said: Mapping[str, str] | None = None
) -> Schema:
    """The schema of a mapping that says no other names than these; `said` describes them."""
    properties = {name: _of(each) for name, each in statements.items()}
    for name, text in (said or {}).items():
        properties[name]["description"] = text
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _of(statement: Statement) -> Schema:
    default = statement.default
    is_plain = isinstance(default, bool | int | float | str)
    return of_hint(statement.hint) | ({"default": default} if is_plain else {})


@functools.cache
def described(cls: type) -> Mapping[str, str]:
    """What stands below the fields of a class of options, and of those that it extends.

    The literal below an assignment is an attribute's docstring (PEP 257).
    """
    said: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if is_dataclass(each):
            (node,) = ast.parse(inspect.getsource(each)).body
            assert isinstance(node, ast.ClassDef)
            for pair in pairwise(node.body):
                match pair:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        said[name] = " ".join(text.split())
    return said


def paragraph(text: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((text or "").partition("\n\n")[0].split())
