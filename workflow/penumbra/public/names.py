"""Image sets by the names that a user gives them."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError


def by_name(given: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """What is given by name, each name as text.

    Raises:
        PenumbraError: two names are the same text, as 1 and "1" are.
    """
    made: dict[str, Any] = {}
    for key, value in given.items():
        if str(key) in made:
            raise PenumbraError(
                f"{what}: two image sets are called {str(key)!r}, as names are texts and "
                f"{key!r} is written so; give each a name of its own"
            )
        made[str(key)] = value
    return made
