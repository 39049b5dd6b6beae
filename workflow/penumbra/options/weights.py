"""What is stated of published weights: an entry of config/weights.yaml."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import above


@dataclass(frozen=True, kw_only=True)
class Published(check.Options):
    """One file, or a folder of files."""

    OWNER = "published weights"

    title: str
    """What it is."""
    source: str
    """Where it is found, in words."""
    licence: str
    """Under which licence, as its publisher states it."""
    gigabytes: Annotated[float, above(0)]
    """What its tensors take."""
    published: str | None = None
    """The name of the file where it is found; None where there is none."""
