"""Values held against what is stated of them: by a class of options, or a function's parameters."""

import functools
import math
import types
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, Union

from penumbra.errors import PenumbraError, unknown

HIDDEN = object()  # a default that is there, and is not known without importing its module
WORDS = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null"}


class Problem(NamedTuple):
    """What is wrong at `keys`: `kind` is name, missing, choice, value or together.

    `valid` are the names that would do, `text` goes on after the value: "not at least 1".
    """

    kind: str
    keys: tuple[str, ...]
    value: Any
    text: str
    valid: tuple[str, ...] = ()

    def under(self, *keys: str) -> "Problem":
        """The same, seen from further above."""
        return self._replace(keys=(*keys, *self.keys))

    def told(self, owner: str) -> str:
        """One line for those who call with options, who see no file."""
        key = ".".join(self.keys)
        if self.kind == "name":
            return str(unknown("option", self.keys[-1], self.valid, owner))
        if self.kind == "choice":
            return str(unknown(key, self.value, self.valid, owner))
        if self.kind == "value":
            return f"{owner}: {key} is {shown(self.value)}, {self.text}"
        return f"{owner}: {self.text}"


class Statement(NamedTuple):
    """One parameter: its type with what else is stated of it, and its default, or MISSING."""

    hint: Any
    default: Any = MISSING


def shown(value: Any) -> str:
    """A value for a message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


@dataclass(frozen=True)
class Options:
    """A class of options: its fields state types, ranges and defaults; made only of what fits.

    `together` says what can't be together. Nested classes may be given as mappings.
    """

    OWNER: ClassVar[str] = "options"

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        refuse(self.OWNER, examine(type(self), given))
        self._take(given)

    def _take(self, given: Mapping[str, Any]) -> None:
        """Set the fields, nested classes made of their mappings."""
        kind: Any = type(self)
        for name, statement in stated(kind).items():
            inner, value = _class_in(statement.hint), given.get(name, statement.default)
            if inner is not None and isinstance(value, Mapping):
                value = inner.of(value)
            object.__setattr__(self, name, value)

    def together(self) -> Iterator[tuple[str, str]]:
        """Options that can't be as they are beside the others, and why."""
        yield from ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The options that a mapping gives.

        Raises:
            PenumbraError: all that is wrong with them.
        """
        refuse(cls.OWNER, examine(cls, given))
        return cls(**given)


def refuse(owner: str, problems: Iterator[Problem]) -> None:
    """One error for all problems, if there are any.

    Raises:
        PenumbraError: names the owner and the options.
    """
    lines = [problem.told(owner) for problem in problems]
    if lines:
        raise PenumbraError("\n".join(lines))


def require(owner: str, rules: Sequence[Any], **values: Any) -> None:
    """Refuse values that can't be together.

    Raises:
        PenumbraError: says which.
    """
    for rule in rules:
        for _, text in rule.problems(values):
            raise PenumbraError(f"{owner}: {text}")


@functools.cache
def stated(cls: type) -> dict[str, Statement]:
    """What a class of options states of each."""
    hints = typing.get_type_hints(cls, include_extras=True)
    if not is_dataclass(cls):  # a TypedDict
        needed = getattr(cls, "__required_keys__", hints)
        return {k: Statement(h, MISSING if k in needed else None) for k, h in hints.items()}
    return {field.name: Statement(hints[field.name], field.default) for field in fields(cls)}


def examine(
    cls: type, given: Any, whole: bool = True, beside: Mapping[str, Statement] | None = None
) -> Iterator[Problem]:
    """What is wrong with options of a class, and with what else stands `beside` them.

    `whole`: none may be missing, and they go together.
    """
    problems = list(parameters({**stated(cls), **(beside or {})}, given, whole))
    yield from problems
    if whole and not problems and issubclass(cls, Options):
        made = object.__new__(cls)
        made._take(given)
        for key, text in made.together():
            yield Problem("together", (key,), given.get(key), text)


def parameters(
    statements: Mapping[str, Statement], given: Any, whole: bool = True, rules: Sequence[Any] = ()
) -> Iterator[Problem]:
    """What is wrong with values by name."""
    if not isinstance(given, Mapping):
        yield Problem("value", (), given, "not of type mapping")
        return
    problems: list[Problem] = []
    for key, value in given.items():
        if key in statements:
            problems += (p.under(key) for p in wrong(value, statements[key].hint))
        else:
            problems.append(Problem("name", (str(key),), value, "", tuple(statements)))
    if whole:
        needed = (key for key, statement in statements.items() if statement.default is MISSING)
        missing = [key for key in needed if key not in given]
        if missing:
            text = f"no {', '.join(missing)}; there is no default"
            problems.append(Problem("missing", (missing[0],), None, text))
    yield from problems
    if not problems:
        values = {key: statement.default for key, statement in statements.items()} | dict(given)
        for rule in rules:
            if not any(values.get(name, MISSING) in (MISSING, HIDDEN) for name in rule.names):
                for key, text in rule.problems(values):
                    yield Problem("together", (key,), given.get(key), text)


def wrong(value: Any, hint: Any) -> Iterator[Problem]:
    """What is wrong with one value; a type that is none of those known here says nothing."""
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if not isinstance(origin, Hashable):
        return
    if origin is Annotated:
        problems = list(wrong(value, arguments[0]))
        marks = [] if problems else [m for m in arguments[1:] if hasattr(m, "holds")]
        yield from problems
        yield from (Problem("value", (), value, str(m)) for m in marks if not m.holds(value))
    elif origin in (Union, types.UnionType):
        yield from _of_several(value, arguments)
    elif origin is Literal:
        if not any(type(value) is type(a) and value == a for a in arguments):
            yield Problem("choice", (), value, "", tuple(map(str, arguments)))
    elif origin in (dict, Mapping):
        yield from _of_mapping(value, *arguments)
    elif origin in (list, tuple, Sequence):
        yield from _of_list(value, origin, arguments)
    elif isinstance(hint, type) and (typing.is_typeddict(hint) or is_dataclass(hint)):
        if typing.is_typeddict(hint) or not isinstance(value, hint):
            yield from examine(hint, value)
    elif hint in WORDS or hint is None:
        yield from _of_type(value, hint)


def _of_type(value: Any, hint: Any) -> Iterator[Problem]:
    kinds = {int: (int,), float: (int, float), None: (type(None),)}.get(hint, (hint,))
    if type(value) not in kinds:
        word = WORDS[type(None) if hint is None else hint]
        yield Problem("value", (), value, f"not of type {word!r}")
    elif hint is float and not _is_finite(value):
        yield Problem("value", (), value, "no finite number")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _of_several(value: Any, hints: tuple[Any, ...]) -> Iterator[Problem]:
    tries = [list(wrong(value, hint)) for hint in hints]
    if not all(tries):
        return
    others = [t for t, hint in zip(tries, hints, strict=True) if hint is not type(None)]
    if len(others) == 1:
        yield from others[0]
    else:
        reasons = [p.text or f"not {' or '.join(map(repr, p.valid))}" for t in others for p in t]
        yield Problem("value", (), value, ", ".join(reasons))


def _of_mapping(value: Any, key: Any = Any, entry: Any = Any) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem("value", (), value, "not of type mapping")
        return
    for name, inside in value.items():
        yield from (p.under(str(name)) for p in wrong(name, key))
        yield from (p.under(str(name)) for p in wrong(inside, entry))


def _of_list(value: Any, origin: Any, hints: tuple[Any, ...]) -> Iterator[Problem]:
    if not isinstance(value, list | tuple):
        yield Problem("value", (), value, "not of type list")
        return
    if origin is tuple and hints and hints[-1] is not Ellipsis:
        if len(value) != len(hints):
            yield Problem("value", (), value, f"not a list of {len(hints)}")
            return
    else:
        hints = (hints[0] if hints else Any,) * len(value)
    for i, (entry, hint) in enumerate(zip(value, hints, strict=True)):
        yield from (p.under(str(i)) for p in wrong(entry, hint))


def _class_in(hint: Any) -> type[Options] | None:
    """The class of options that a type, or one of its alternatives, is."""
    for each in (hint, *typing.get_args(hint)):
        if isinstance(each, type) and issubclass(each, Options):
            return each
    return None
