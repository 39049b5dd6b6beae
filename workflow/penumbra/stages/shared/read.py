"""Which block scores are of, as artifacts carry it; stages of arrays need no torch for that."""

from typing import NamedTuple


class Read(NamedTuple):
    """The block that is read, and the one in whose place, where a map lies behind that one."""

    block: str
    instead_of: str
