"""What an expression of Python is worth, by names that are known; nothing else is run."""

import ast
import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitOr: operator.or_,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def worth(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of literals, known names, what they hold, calls of them, and sums and unions.

    Raises:
        LookupError, TypeError, …: it is another kind of expression, or a name is not known.
    """

    def each(nodes: list[Any]) -> list[Any]:
        return [worth(one, known) for one in nodes]

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return known[name]
        case ast.Attribute(value=ast.Name(id=name), attr=attr):
            return _held(known[name], attr)
        case ast.Tuple(elts=entries):
            return tuple(each(entries))
        case ast.List(elts=entries):
            return each(entries)
        case ast.Dict(keys=keys, values=values):
            return dict(zip(each(keys), each(values), strict=True))
        case ast.Subscript(value=value, slice=index):
            return worth(value, known)[worth(index, known)]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -worth(operand, known)
        case ast.BinOp(left=left, op=sign, right=right):
            return OPERATORS[type(sign)](worth(left, known), worth(right, known))
        case ast.Call(func=func, args=arguments, keywords=named):
            options = {str(one.arg): worth(one.value, known) for one in named}
            return worth(func, known)(*each(arguments), **options)
    raise TypeError(f"{ast.unparse(node)}: no statement of an option")


def _held(module: Any, name: str) -> Any:
    if not isinstance(module, ModuleType):
        raise TypeError(f"{name} of no module")
    return getattr(module, name)
