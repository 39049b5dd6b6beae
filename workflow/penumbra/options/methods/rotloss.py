"""Options of training by rotations: none."""

from dataclasses import dataclass

from penumbra.options import check


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Which of four rotations an image has had."""

    OWNER = "method rotloss"
