"""The images of a set, as its config names them: read, chosen, checked, and their digest."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from penumbra.images.entries import Entries
from penumbra.images.image_set import ImageSet
from penumbra.images.subset import select
from penumbra.plugins import load


def chosen(config: dict[str, Any], root: Path | None) -> Entries:
    """The entries of an image set; `config` is that of its rule, `root` holds the data sets.

    Raises:
        PenumbraError: files are missing or not what the catalogue says; names them.
    """
    reader = load("images.readers", config["dataset"]["reader"])
    entries = select(reader.entries(config, root), config)
    entries.check(config["name"])
    return entries


class Digest:
    """SHA-256 of the decoded pixels, labels and origins of all images that pass through."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def over(self, groups: Iterable[ImageSet]) -> Iterator[ImageSet]:
        """The same groups, counted in."""
        for group in groups:
            self._digest.update(group.pixels.data)
            self._digest.update(group.labels.data)
            self._digest.update("\n".join([*group.classes, *group.origins]).encode())
            yield group

    def hex(self) -> str:
        """The digest of what has passed so far."""
        return self._digest.hexdigest()
