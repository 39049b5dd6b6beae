"""Seeds derived from names, so that no draw depends on which draws came before it."""

import hashlib


def derive(*parts: object) -> int:
    """A seed in [0, 2^63) for the draw that `parts` name, e.g. (world seed, artifact, epoch)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
