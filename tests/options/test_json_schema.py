"""The JSON schema of what is stated says the same as the check, as far as it has words for it."""

import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import pytest

import penumbra.options
from penumbra.options import check, ranges
from penumbra.options.json_schema import described, of_hint
from penumbra.options.ranges import Count, Positive, between, within
from penumbra.planning.validation import VALIDATOR


@dataclass(frozen=True, kw_only=True)
class Above(check.Options):
    """One."""

    size: Count = 3
    """How large;
    in pixels."""
    plain: str


@dataclass(frozen=True, kw_only=True)
class Below(Above):
    """Two.

    More words.
    """

    inner: Above | None = None
    """Another."""


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [0, -3], [True, 2.5, "3", None]),
        (float, [1, 0.5], [True, "0.5", None]),
        (None, [None], [0, "null"]),
        (int | None, [None, 3], ["3", 1.5]),
        (Positive, [1, 1e-9], [0, -1.0]),
        (Annotated[float, within(0, 1)], [0, 1], [-0.1, 1.1]),
        (Annotated[float, between(0, 1)], [0.5], [0, 1]),
        (Annotated[int, ranges.Multiple(4)], [8], [6]),
        (Literal["a", 1], ["a", 1], ["b", None]),
        (tuple[float, float], [[0, 1]], [[1], [1, 2, 3], [0, "1"]]),
        (tuple[int, ...], [[], [1, 2]], [["1"], 3]),
        (Annotated[list[float], ranges.Distinct()], [[1, 2]], [[], [1, 1]]),
        (Annotated[Mapping[str, Count], ranges.Filled()], [{"a": 1}], [{}, {"a": 0}, ["a"]]),
        (Annotated[str, ranges.Naming()], ["a {}"], ["a", 3]),
        (list[Annotated[str, ranges.Names("recipes")]], [["x"], []], ["x", [3]]),
        (Any, [3, "x", None], []),
        ([int], [3, "x"], []),
        (Below, [{"inner": None, "plain": ""}], [3, {"size": 0}, {"inner": {"sise": 1}}]),
    ],
)
def test_it_fits_what_the_check_lets_pass(hint, good, bad):
    schema = of_hint(hint)
    VALIDATOR.check_schema(schema)
    for value in good:
        assert VALIDATOR(schema).is_valid(value), value
        assert not [*check.wrong(value, hint)], value
    for value in bad:
        assert not VALIDATOR(schema).is_valid(value), value
        assert [*check.wrong(value, hint)], value


def test_classes_and_fields_are_described_by_their_docstrings():
    schema = of_hint(Below)
    assert schema["description"] == "Two."
    size = {"type": "integer", "minimum": 1, "default": 3, "description": "How large; in pixels."}
    assert schema["properties"]["size"] == size
    assert schema["properties"]["inner"]["description"] == "Another."
    assert described(Below) == {"size": "How large; in pixels.", "inner": "Another."}


def test_every_option_is_described():
    names = [m.name for m in pkgutil.walk_packages(penumbra.options.__path__, "penumbra.options.")]
    members = (m for name in names for _, m in inspect.getmembers(import_module(name)))
    classes = {m for m in members if isinstance(m, type) and issubclass(m, check.Options)}
    assert len(classes) > 20
    for cls in classes:
        assert {*described(cls)} == {*check.stated(cls)}, cls
