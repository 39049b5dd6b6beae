"""Errors that a user can mend: they name the thing and the mend, and show no traceback."""

import difflib
from collections.abc import Iterable

MANY = 150  # names, as of torchvision's networks; timm has over a thousand
FEW = 10


class PenumbraError(Exception):
    """Bad input or a result that must not be used."""


# What torch and NumPy say of too little memory, on a GPU and off it; and what torch says where a
# device has no kernel for an operation that gives the same numbers each time.
TOO_LITTLE = ("out of memory", "DefaultCPUAllocator", "Unable to allocate")
UNREPEATABLE = "does not have a deterministic implementation"


class UnreadableError(PenumbraError):
    """An image can't be read. A training that it ends has saved its state before."""


def unknown(kind: str, name: str, valid: Iterable[str], where: str) -> PenumbraError:
    """An error for a name that nothing answers to, with the nearest valid one.

    All valid names are told where a reader can take them in; of more, those like the one given.
    """
    valid = sorted(map(str, valid))
    near = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    told = ", ".join(valid)
    if len(valid) > MANY:
        likest = difflib.get_close_matches(str(name), valid, n=FEW, cutoff=0)
        told = f"{', '.join(likest)} and {len(valid) - FEW:,} others"
    return PenumbraError(f"{where}: unknown {kind} {name!r}; {hint}valid: {told}")


def of_computing(error: RuntimeError | MemoryError) -> PenumbraError | None:
    """The error of a library that computes, with the mend; None where a user can do nothing."""
    text = str(error)
    if isinstance(error, MemoryError) or any(words in text for words in TOO_LITTLE):
        return PenumbraError(
            f"too little memory ({_first_line(text)}); lower the batch size (config: "
            "compute.batch_size, of a training its recipe's batch_size), or take a machine or GPU "
            "with more memory"
        )
    if UNREPEATABLE in text:
        operation = text.partition(" ")[0]
        return PenumbraError(
            f"{operation} gives other numbers each time on this device, which nothing here may; "
            "compute on the CPU (config: compute.device: cpu), take a network without this "
            "operation, or, where a scorer takes gradients through it, leave the scorer out"
        )
    return None


def _first_line(text: str) -> str:
    """Without the hints for other programs that follow the first sentences."""
    return text.strip().partition("\n")[0][:200] or "no more could be had"
