"""Options of the representation diffusion model."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Multiple


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; published: the defaults, or conditional on classes.

    Halves of `width` are the cosines and the sines of a time step.
    """

    OWNER = "rdm"

    width: Annotated[int, Bound(low=2), Multiple(2)] = 1536
    time: Count = 256
    blocks: Count = 12
    bottleneck: Count = 1536
    context: Count = 512
    conditional: bool = False


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of the rdm"
