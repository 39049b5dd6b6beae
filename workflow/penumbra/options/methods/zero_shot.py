"""Options of a classifier out of CLIP and class names, which is not trained."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Naming


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """CLIP's classes."""

    OWNER = "method zero_shot"

    prompt: Annotated[str, Naming()]
    """Text of a class; {} is its name."""
