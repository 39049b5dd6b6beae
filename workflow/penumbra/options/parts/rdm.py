"""Options of the representation diffusion model."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Multiple


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; published: the defaults, or conditional on classes."""

    OWNER = "rdm"

    width: Annotated[int, Bound(low=2), Multiple(2)] = 1536
    """Channels, of which halves are the cosines and the sines of a time step."""
    time: Count = 256
    """Width of the embedding of time."""
    blocks: Count = 12
    """Residual blocks."""
    bottleneck: Count = 1536
    """Channels within a block."""
    context: Count = 512
    """Width of the embedding of a class."""
    conditional: bool = False
    """Whether it is told the class."""


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of the rdm"
