"""Names of tensors in what a user is told; without torch, which the planner does not import."""

from collections.abc import Iterable

LISTED = 10


def listed(names: Iterable[str]) -> str:
    """At most ten names, and how many there are in all if there are more."""
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
