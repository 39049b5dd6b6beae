"""What an option may be, beside its type: bounds, order, and what goes together.

They stand in `typing.Annotated` where the option is taken, `k: Annotated[int, at_least(1)] = 50`.
`keywords` are the same in JSON Schema, as far as that has words for it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from penumbra.errors import unknown


@dataclass(frozen=True)
class Bound:
    """Numbers from `low` to `high`, without an end that is open; `text` says it in other words."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    text: str = ""

    def holds(self, value: float) -> bool:
        """Whether a number lies within."""
        above_low = value > self.low if self.open_low else value >= self.low
        return above_low and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        if self.text:
            return self.text
        if self.high == math.inf:
            return f"not {'above' if self.open_low else 'at least'} {self.low:g}"
        if self.low == -math.inf:
            return f"not {'below' if self.open_high else 'at most'} {self.high:g}"
        start, end = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"not in {start}{self.low:g}, {self.high:g}{end}"

    @property
    def keywords(self) -> dict[str, Any]:
        """Of each end that there is."""
        low = "exclusiveMinimum" if self.open_low else "minimum"
        high = "exclusiveMaximum" if self.open_high else "maximum"
        ends = {low: self.low, high: self.high}
        return {word: end for word, end in ends.items() if math.isfinite(end)}


def at_least(low: float) -> Bound:
    """The number itself, or more."""
    return Bound(low=low)


def above(low: float) -> Bound:
    """More than the number."""
    return Bound(low=low, open_low=True)


def within(low: float, high: float) -> Bound:
    """Both ends, and what is between."""
    return Bound(low, high)


def between(low: float, high: float) -> Bound:
    """Neither end, but what is between."""
    return Bound(low, high, open_low=True, open_high=True)


@dataclass(frozen=True)
class Multiple:
    """Multiples of a number, plus another."""

    of: int
    plus: int = 0

    def holds(self, value: int) -> bool:
        """Whether it is one."""
        return (value - self.plus) % self.of == 0

    def __str__(self) -> str:
        return f"not a multiple of {self.of}" + (f" plus {self.plus}" if self.plus else "")

    @property
    def keywords(self) -> dict[str, Any]:
        """None where another number is added."""
        return {} if self.plus else {"multipleOf": self.of}


@dataclass(frozen=True)
class Rising:
    """Lists whose entries never fall, or, if strict, rise from one to the next."""

    strict: bool = False
    text: str = "not in rising order"
    keywords: ClassVar[Mapping[str, Any]] = {}

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether they do."""
        return all(a < b or (a == b and not self.strict) for a, b in pairwise(values))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Distinct:
    """Lists of one entry or more, none of them twice."""

    keywords: ClassVar[Mapping[str, Any]] = {"minItems": 1, "uniqueItems": True}

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether it is one."""
        return len(values) == len({*values}) > 0

    def __str__(self) -> str:
        return "empty, or has an entry twice"


@dataclass(frozen=True)
class Filled:
    """Lists or mappings of one entry or more."""

    keywords: ClassVar[Mapping[str, Any]] = {"minItems": 1, "minProperties": 1}

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether it is one."""
        return len(values) > 0

    def __str__(self) -> str:
        return "empty"


@dataclass(frozen=True)
class Naming:
    """Texts with a place for a name."""

    place: str = "{}"

    def holds(self, value: str) -> bool:
        """Whether the place is in it."""
        return self.place in value

    def __str__(self) -> str:
        return f"without {self.place}, the place of a name"

    @property
    def keywords(self) -> dict[str, Any]:
        """The place as a pattern."""
        return {"pattern": re.escape(self.place)}


@dataclass(frozen=True)
class Names:
    """Texts that name an entry of the config's section `kind`; planning knows which there are."""

    kind: str

    def holds(self, value: str) -> bool:
        """Any text may be a name."""
        return True

    @property
    def keywords(self) -> dict[str, Any]:
        """The word of the config's own schema."""
        return {"x-names": self.kind}


Count = Annotated[int, at_least(1)]
Positive = Annotated[float, above(0)]
NotNegative = Annotated[float, at_least(0)]
Share = Annotated[float, within(0, 1)]
Percent = Annotated[float, within(0, 100)]
Precision = Literal["float32", "bfloat16"]
Energy = Literal["sigmoid_energy", "sigmoid_phi", "sigmoid_centered"]  # what a map reads
Prior = Literal["empirical", "uniform"]
# Parameters of a beta map, as the package betacal names them.
Beta = Literal["abm", "am", "ab", "a"]


# What goes together: each rule says of values by name which of them is wrong, and why. It is asked
# where all of its `names` are there.


@dataclass(frozen=True)
class Divides:
    """`heads`, times a number, divide `width`."""

    heads: str = "heads"
    width: str = "width"
    times: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The options that it speaks of."""
        return self.heads, self.width

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The option and what is wrong with it."""
        heads, width = values[self.heads], values[self.width]
        if None not in (heads, width) and width % (self.times * heads):
            kind = {1: "multiple", 2: "even multiple"}[self.times]
            yield self.heads, f"{self.width} {width} is no {kind} of {heads} {self.heads}"


@dataclass(frozen=True)
class Ordered:
    """`low` is not above `high`."""

    low: str
    high: str

    @property
    def names(self) -> tuple[str, ...]:
        """The options that it speaks of."""
        return self.low, self.high

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The option and what is wrong with it."""
        low, high = values[self.low], values[self.high]
        if low > high:
            yield self.low, f"{self.low} {low:g} is above {self.high} {high:g}"


@dataclass(frozen=True)
class Belongs:
    """Which options each value of `chooser` has; the others belong to other values."""

    chooser: str
    sets: Mapping[str, Iterable[str]]

    @property
    def names(self) -> tuple[str, ...]:
        """The options that it speaks of."""
        return (self.chooser,)

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The option and what is wrong with it."""
        chosen = values[self.chooser]
        mine = set(self.sets[chosen])
        others = {name for names in self.sets.values() for name in names} - mine
        for name in sorted(others & {name for name, value in values.items() if value is not None}):
            yield name, str(unknown("parameter", name, mine, f"{self.chooser} {chosen}"))
