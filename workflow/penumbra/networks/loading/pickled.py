"""Checkpoint files of PyTorch, opened without running anything that is pickled in them.

`args` of RCG's files is an argparse.Namespace, the one class that is let through. Numbers of NumPy,
as the best accuracy so far, are no weights: a stand-in for all that would make them leaves them
unread.
"""

import argparse
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from penumbra.errors import PenumbraError


class Unread:
    """What stands for a pickled NumPy number; nothing of NumPy is called."""

    def __init__(self, *arguments: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


NUMBERS = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
LET_THROUGH: list[Any] = [argparse.Namespace, *((Unread, name) for name in NUMBERS)]


def opened(path: Path, what: str) -> Any:
    """What the file holds, its tensors mapped; `what` tells errors which file is expected.

    Raises:
        PenumbraError: the file is damaged, holds code, or is TorchScript.
    """
    try:
        with torch.serialization.safe_globals(LET_THROUGH):
            # Mapped, so that the optimiser's tensors, twice the network's, are never read.
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # where bytes are no pickle, reading them raises anything
        if "TorchScript" in str(error):
            raise PenumbraError(
                f"{path}: TorchScript, which is a program; {what} is expected there. If you trust "
                "it, save its weights alone: torch.save(torch.jit.load(FILE).state_dict(), "
                "'weights.pt')"
            ) from error
        called = re.search(r"GLOBAL (\S+)", str(error))
        if called:
            raise PenumbraError(
                f"{path}: refused, as it holds pickled code ({called[1]}), which no published file "
                f"of this kind does; {what} is expected there. Do not use it, download it again; "
                "or if it is your own, save its state dict alone"
            ) from error
        raise PenumbraError(
            f"{path}: not a readable checkpoint, truncated or damaged "
            f"({path.stat().st_size:,} bytes), or not of torch.save; download it again: {what}"
        ) from error
