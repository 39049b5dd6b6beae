"""Options of standard training: none."""

from dataclasses import dataclass

from penumbra.options import check


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Every batch is clean."""

    OWNER = "method standard"
