"""Values against types and ranges: exact types, finite numbers, all problems at once."""

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import pytest

from penumbra.errors import PenumbraError
from penumbra.options import check, ranges
from penumbra.options.ranges import Count, Positive, at_least, between, within


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [0, -3], [True, 2.0, "3", None, math.nan]),
        (float, [1, 0.5, -2], [True, "0.5", math.nan, math.inf, -math.inf, 10**400, None]),
        (bool, [True, False], [0, 1, "true", None]),
        (str, ["", "x"], [3, None, True]),
        (None, [None], [0, False, "null"]),
        (int | None, [None, 3], ["3", 1.5, True]),
        (Count, [1, 7], [0, -1, True, 1.0]),
        (Positive, [1, 1e-9], [0, -1.0, math.nan]),
        (Annotated[float, within(0, 1)], [0, 1, 0.5], [-0.1, 1.1]),
        (Annotated[float, between(0, 1)], [0.5], [0, 1]),
        (Annotated[float, ranges.Bound(0, 1, open_low=True)], [1, 0.1], [0, 1.5]),
        (Annotated[int, ranges.Multiple(6, plus=4)], [10, 28], [11, 6]),
        (Literal["a", 1], ["a", 1], ["b", True, None, 1.0, []]),
        (float | Literal["alpha"] | None, [0.5, "alpha", None], ["x", True, [1.0]]),
        (list[int], [[], [1, 2]], [(1.5,), "12", 3, {1: 2}, [True]]),
        (tuple[float, float], [[0, 1], (0.5, 1.0)], [[1], [1, 2, 3], "ab", [0, "1"]]),
        (Annotated[list[float], ranges.Rising()], [[], [1, 1, 2]], [[2, 1], [1, math.nan]]),
        (Annotated[list[float], ranges.Rising(strict=True)], [[1, 2]], [[1, 1]]),
        (Annotated[list[float], ranges.Distinct()], [[1, 2]], [[], [1, 1]]),
        (Mapping[str, Count], [{}, {"a": 1}], [{"a": 0}, {3: 1}, ["a"]]),
        (list, [[], [1, "x"]], ["12", {}, 3]),
        (tuple, [[1, "x"], ()], ["12", 3]),
        (dict, [{}, {"a": 1}], [[], 3]),
        (Any, [3, "x", None, [1]], []),
        ([int], [3, "x", [1]], []),
        (object(), [3, "x", None, [1]], []),  # what is not known is not checked
    ],
)
def test_types_and_ranges(hint, good, bad):
    for value in good:
        assert not [*check.wrong(value, hint)], value
    for value in bad:
        assert [*check.wrong(value, hint)], value


@dataclass(frozen=True, kw_only=True)
class Inner(check.Options):
    OWNER = "inner"

    size: Count
    share: Annotated[float, within(0, 1)] = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer(check.Options):
    OWNER = "outer"

    mode: Literal["fast", "slow"]
    low: float = 0.0
    high: float = 1.0
    inner: Inner | None = None

    def together(self) -> Iterator[tuple[str, str]]:
        if self.low > self.high:
            yield "low", "low is above high"
        if self.inner is not None and self.inner.size > 9:
            yield "inner", "too large"


def told(given, cls=Outer, whole=True):
    return {(p.kind, ".".join(p.keys)) for p in check.examine(cls, given, whole)}


def test_all_that_is_wrong_is_told_at_once():
    given = {"mode": "fats", "low": math.nan, "hihg": 3, "inner": {"share": 2, "sise": 1}}
    assert told(given) == {
        ("choice", "mode"),
        ("value", "low"),
        ("name", "hihg"),
        ("value", "inner.share"),
        ("name", "inner.sise"),
        ("missing", "inner.size"),
    }
    assert told({}) == {("missing", "mode")}
    assert told({}, whole=False) == set()
    assert told(3) == {("value", "")}
    assert told({"mode": "fast", "low": 2}) == {("together", "low")}
    assert told({"mode": "fast", "inner": {"size": 10}}) == {("together", "inner")}


def test_a_class_is_made_only_of_what_fits():
    made = Outer.of({"mode": "fast", "inner": {"size": 3}})
    assert made.inner == Inner(size=3)
    assert Outer(mode="slow", inner=Inner(size=1)).inner == Inner(size=1)
    for given, message in (
        ({"mode": "fats"}, "outer: unknown mode 'fats'; did you mean 'fast'"),
        ({"mode": "fast", "low": "1"}, "outer: low is '1', not of type 'number'"),
        ({"mode": "fast", "inner": {"size": 0}}, "outer: inner.size is 0, not at least 1"),
        ({"mode": "fast", "hihg": 1}, "outer: unknown option 'hihg'; did you mean 'high'"),
        ({}, "outer: no mode"),
        ({"mode": "fast", "high": -1}, "outer: low is above high"),
    ):
        with pytest.raises(PenumbraError, match=message):
            Outer.of(given)
    with pytest.raises(PenumbraError, match=r"unknown mode.*\nouter: low is True"):
        Outer(mode="x", low=True)


def test_a_mapping_with_keys_of_its_own():
    class Layer(TypedDict):
        full: Positive
        bins: Annotated[int, at_least(4)]

    assert told({"full": 1, "bins": 4}, Layer) == set()
    assert told({"full": 0, "bin": 4}, Layer) == {
        ("value", "full"),
        ("name", "bin"),
        ("missing", "bins"),
    }


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (ranges.Divides(), {"heads": 3, "width": 48}, {"heads": 7, "width": 48}),
        (ranges.Divides(times=2), {"heads": 3, "width": 48}, {"heads": 3, "width": 9}),
        (ranges.Ordered("low", "high"), {"low": 1, "high": 1}, {"low": 2, "high": 1}),
        (
            ranges.Belongs("kind", {"a": ["x"], "b": ["y"]}),
            {"kind": "a", "x": 1, "y": None},
            {"kind": "a", "x": 1, "y": 2},
        ),
    ],
)
def test_what_goes_together(rule, good, bad):
    assert not [*rule.problems(good)]
    assert [*rule.problems(bad)]
    check.require("owner", (rule,), **good)
    with pytest.raises(PenumbraError, match=r"^owner: "):
        check.require("owner", (rule,), **bad)


def test_no_module_of_options_imports_torch(root):
    program = (
        "import pkgutil, sys, importlib, penumbra.options as o\n"
        "for m in pkgutil.walk_packages(o.__path__, 'penumbra.options.'):\n"
        "    importlib.import_module(m.name)\n"
        "import penumbra.planning.options\n"
        "print(sorted({'torch', 'numpy', 'diffusers'} & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "torch" not in found.stdout
    assert found.stdout.startswith("[")
