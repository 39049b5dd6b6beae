"""Which scorers there are, and what each takes."""

import ast
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from types import UnionType
from typing import Annotated, Any, Literal, Union

import pandas as pd

from penumbra.options.check import HIDDEN, WORDS, Statement
from penumbra.options.offered import offered
from penumbra.planning import needs
from penumbra.store.closure import PACKAGE


def scorers() -> pd.DataFrame:
    """Every scorer by its name, the `module` of a config's entry.

    `reads`: logits, features and head (the last layer's weight and bias); statistics of one
    block's channels (l2, max, …); or the network itself (maps, or gradients too). `source` sums
    that up: outputs, statistics or network. `fitted_on` is train or heldout, empty for a scorer
    that needs no fit; `fit_reads` what of these images. `options` and `fit_options` have type,
    range and default of each. `paper` is what the score is, and where it is from.
    """
    rows = [_row(module) for module in offered("scorer module")]
    return pd.DataFrame(rows).set_index("scorer")


def _row(module: str) -> dict[str, Any]:
    declared = needs.declared(module)
    read = _reads(declared.needs)
    score, fit = needs.functions(module)
    fitted = {k: s for k, s in fit.options.items() if k not in needs.CHOICE} if fit else {}
    return {
        "scorer": module,
        "reads": ", ".join(read),
        "source": needs.source(read),
        "fitted_on": declared.fit[0] if declared.fit else "",
        "fit_reads": ", ".join(declared.fit[1:]) if declared.fit else "",
        "options": _options(score.options),
        "fit_options": _options(fitted),
        "paper": _first_line(module),
    }


def _reads(wanted: Any) -> tuple[str, ...]:
    """What score() reads; where an option decides, all that any of its values reads."""
    if not isinstance(wanted, Mapping):
        return tuple(wanted)
    (choices,) = wanted.values()
    return tuple(dict.fromkeys(name for each in choices.values() for name in each))


def _first_line(module: str) -> str:
    text = (PACKAGE / "scores" / f"{module}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _options(options: Mapping[str, Statement]) -> str:
    return "; ".join(f"{name}: {_statement(each)}" for name, each in options.items())


def _statement(statement: Statement) -> str:
    if statement.default is MISSING:
        return f"{_type(statement.hint)}, no default"
    default = "its own" if statement.default is HIDDEN else repr(statement.default)
    return f"{_type(statement.hint)}, default {default}"


def _type(hint: Any) -> str:
    """A type with its range in words: `integer at least 1`."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is Annotated:
        refusals = (str(mark) for mark in arguments[1:] if hasattr(mark, "holds"))
        return _type(arguments[0]) + "".join(map(_range, refusals))
    if origin in (Union, UnionType):
        return " or ".join(map(_type, arguments))
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in (list, tuple, Sequence):
        return f"list of {_type(arguments[0])}" if arguments else "list"
    if origin in (dict, Mapping) or typing.is_typeddict(origin):
        return "mapping"
    return "None" if hint is type(None) else WORDS.get(hint, "any")


def _range(refusal: str) -> str:
    """What would do, of what a mark says of a value that does not: `not at least 1`, `empty`."""
    good = refusal.removeprefix("not ")
    return f" {good}" if good != refusal else f", not {refusal}"
