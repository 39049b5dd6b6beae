"""Image sets by the names that a user gives them."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError


def by_name(given: object, what: str) -> dict[str, Any]:
    """What is given by name, each name as text.

    Raises:
        PenumbraError: it is no mapping, two names are the same text, as 1 and "1" are, or one is
            no Unicode.
    """
    if not isinstance(given, Mapping):
        raise PenumbraError(
            f"{what}: is of type {type(given).__name__}; give a mapping of image sets by name, as "
            "{'textures': …}"
        )
    made: dict[str, Any] = {}
    for key, value in given.items():
        _check_text(str(key), what)
        if str(key) in made:
            raise PenumbraError(
                f"{what}: two image sets are called {str(key)!r}, as names are texts and "
                f"{key!r} is written so; give each a name of its own"
            )
        made[str(key)] = value
    return made


def _check_text(name: str, what: str) -> None:
    """Draws hang on the bytes of a name, and half a character has none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PenumbraError(
            f"{what}: the name {name!a} is no Unicode text; decode it otherwise, or rename the set"
        ) from None
