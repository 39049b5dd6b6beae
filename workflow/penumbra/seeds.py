"""Seeds derived from names, so that no draw depends on which draws came before it."""

import hashlib


def derive(*names: object) -> int:
    """A seed in [0, 2^63) for the draw that `names` tell, e.g. (world seed, artifact, epoch)."""
    text = "\x1f".join(map(str, names)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
