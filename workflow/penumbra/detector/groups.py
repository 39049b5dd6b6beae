"""Anything in groups; itertools has it from Python 3.12 on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def groups_of(items: Iterable[T], count: int) -> Iterator[tuple[T, ...]]:
    """Consecutive groups of `count`, the last one with what is left."""
    rest = iter(items)
    while group := tuple(islice(rest, count)):
        yield group
