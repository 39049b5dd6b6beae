"""Errors that a user can mend: they name the thing and the mend, and show no traceback."""

import difflib
from collections.abc import Iterable


class PenumbraError(Exception):
    """Bad input or a result that must not be used."""


class UnreadableError(PenumbraError):
    """An image can't be read. A training that it ends has saved its state before."""


def unknown(kind: str, name: str, valid: Iterable[str], where: str) -> PenumbraError:
    """An error for a name that nothing answers to, with the nearest valid one."""
    valid = sorted(map(str, valid))
    near = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return PenumbraError(f"{where}: unknown {kind} {name!r}; {hint}valid: {', '.join(valid)}")
