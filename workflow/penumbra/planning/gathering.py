"""Everything that is wrong is told at once: checks run one after another, and raise together."""

from collections.abc import Callable, Iterable

from penumbra.errors import PenumbraError

TOLD = 60  # problems; further ones are only counted


def problems_of(checks: Iterable[Callable[[], object]]) -> list[str]:
    """Run all checks; what they raised, in order."""
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except PenumbraError as error:
            problems.append(str(error))
    return problems


def gather(checks: Iterable[Callable[[], object]]) -> None:
    """Run all checks.

    Raises:
        PenumbraError: what any of them found, each once, in order.
    """
    tell(problems_of(checks))


def tell(problems: Iterable[str]) -> None:
    """Nothing, where there are no problems.

    Raises:
        PenumbraError: the problems, each once, in order.
    """
    lines = list(dict.fromkeys(problems))
    more = [f"and {len(lines) - TOLD} more of these"] if len(lines) > TOLD else []
    if lines:
        raise PenumbraError("\n".join(lines[:TOLD] + more))
