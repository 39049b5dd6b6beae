"""Configs as someone might get them wrong: one key of a right one changed."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

LARGE, BROKEN = (10**9, -(10**9), 2**64, 1e300), (float("nan"), float("inf"))
NUMBERS = st.one_of(
    st.integers(-3, 3), st.floats(-2, 2, width=32), st.sampled_from((*LARGE, *BROKEN))
)
WORDS = st.one_of(
    st.sampled_from(
        ("", " ", "a b", "../x", "ü", "{}", "{x", "on", "null", "1e-3", "a/b", "*", "%")
    ),
    st.text(max_size=6),
)
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
ODD = st.one_of(
    PLAIN,
    st.lists(PLAIN, max_size=3),
    st.dictionaries(WORDS, PLAIN, max_size=2),
    st.just([[[]]]),
    st.just({"extends": "x"}),
)


@dataclass
class Change:
    """The keys that were changed, and the whole config with that change."""

    path: Path
    how: str
    config: dict[str, Any]

    def __repr__(self) -> str:
        try:
            now = repr(at(self.config, self.path))
        except LookupError:
            now = "gone"
        return f"{self.how} {'.'.join(map(str, self.path))}: {now}"


def paths(data: Any, above: Path = ()) -> Iterator[Path]:
    """The keys of everything in nested mappings and lists."""
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in entries:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*above, key))


def at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


@st.composite
def mutated(draw: st.DrawFn, right: dict[str, Any]) -> Change:
    """A config with one change."""
    data = copy.deepcopy(right)
    every = list(paths(right))
    path = draw(st.sampled_from(every))
    holder, key, value = at(data, path[:-1]), path[-1], at(right, path)
    how = draw(st.sampled_from(("odd", "near", "other", "delete", "rename", "add", "twice")))
    if how == "delete":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[draw(st.sampled_from((f"{key}s", str(key)[:-1], f"{key} x", "é")))] = holder.pop(key)
    elif how == "add" and isinstance(value, dict):
        added = draw(WORDS)
        value = at(data, path)
        value[added] = draw(ODD)
        path = (*path, added)
    elif how == "twice" and isinstance(holder, list):
        holder.append(copy.deepcopy(value))
    elif how == "near":
        holder[key] = draw(_near(value))
    elif how == "other":
        holder[key] = copy.deepcopy(at(right, draw(st.sampled_from(every))))
    else:
        holder[key] = draw(ODD)
    return Change(path, how, data)


def _near(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind that a slip of the hand makes."""
    if isinstance(value, bool):
        return st.sampled_from((not value, int(value), str(value)))
    if isinstance(value, int | float):
        return st.sampled_from((-value, value + 1, value - 1, value / 3, 0, str(value), [value]))
    if isinstance(value, str):
        return st.sampled_from((value[:-1], f"{value}s", value.upper(), [value], {value: value}))
    if isinstance(value, list):
        return st.sampled_from((value[:-1], value[::-1], [*value, None], [value], value * 2))
    return ODD
