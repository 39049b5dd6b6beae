"""A look at the images of a set before anything is made of them: every one is decoded once."""

import functools
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images.decode import Kind, kind, reason
from penumbra.images.encoded import Encoded
from penumbra.images.layout import locate
from penumbra.images.listed import Stored
from penumbra.images.names import readable
from penumbra.images.readers.stored import entries_at, folder_of
from penumbra.machine import cores

MOST_CLASSES = 100_000  # a larger number of a class is an id, unless there are as many images


class Seen(NamedTuple):
    """One image: its name in the set, class and digest of its file; what it is, or what ails it."""

    origin: str
    label: int
    digest: bytes
    kind: Kind | None
    trouble: str = ""


class Look:
    """What lies at some paths: images with their classes, and which of them can't be read."""

    def __init__(self, paths: list[Path], labelled: bool, progress: Callable[[int, int], None]):
        """Look at a folder of images, Parquet files or a list.

        Raises:
            PenumbraError: nothing lies there, or what lies there is of no kind that is read.
        """
        self.paths = paths
        dataset = {"labelled": labelled, "splits": {"all": {"path": list(map(str, paths))}}}
        location = locate("", dataset, "all", None)
        if location is None:
            raise PenumbraError(f"there is no {', '.join(map(readable, map(str, paths)))}")
        self.layout = location.layout
        listed = entries_at(location, dataset, "all")
        rows, self.classes, self.left_out = listed[:3]
        self.notes = listed.notes
        if not rows:
            raise PenumbraError(f"{readable(str(location.path))}: there are no images in it")
        self.is_numbered = labelled and not self.classes  # labels are numbers without names
        if self.is_numbered:
            largest = max(label for *_, label in rows)
            check_number(largest, max(len(rows), MOST_CLASSES), len(rows), paths[0])
            self.classes = [str(n) for n in range(largest + 1)]
        self.images: list[Seen] = []
        with ThreadPoolExecutor(cores()) as pool:
            for number, image in enumerate(pool.map(_seen, rows), 1):
                self.images.append(image)
                progress(number, len(rows))

    @property
    def broken(self) -> list[Seen]:
        """The images that can't be read."""
        return [image for image in self.images if image.kind is None]

    def leave_out_broken(self) -> None:
        """Go on as if the images that can't be read were not there."""
        self.images = [image for image in self.images if image.kind is not None]

    @functools.cached_property
    def kinds(self) -> list[Kind]:
        """What the images are that can be read."""
        return [image.kind for image in self.images if image.kind is not None]

    def counts(self) -> dict[str, int]:
        """Images by class, also of classes without any."""
        held = Counter(image.label for image in self.images)
        return {name: held[number] for number, name in enumerate(self.classes)}

    def without_class(self) -> list[str]:
        """The images of a labelled set that have no class."""
        return [
            image.origin for image in self.images if image.label not in range(len(self.classes))
        ]

    def nested(self) -> list[str]:
        """Folders of images that lie not directly below the set's own, sorted."""
        if self.layout != "folder":
            return []
        folders = {folder_of(image.origin) for image in self.images}
        return sorted(folder for folder in folders if "/" in folder)

    def formats(self) -> Counter[str]:
        """Images by format."""
        return Counter(kind.format for kind in self.kinds)

    def modes(self) -> Counter[str]:
        """Images by Pillow's mode."""
        return Counter(kind.mode for kind in self.kinds)

    def unread(self) -> Counter[str]:
        """How many images have something that is not read."""
        return Counter(what for kind in self.kinds for what in kind.unread)

    def side(self) -> int:
        """Median of the shorter side in pixels."""
        return median_low(min(kind.width, kind.height) for kind in self.kinds)

    def oblong(self) -> float:
        """The share of images that are longer than broad, or broader, by a tenth."""
        sides = ((kind.width, kind.height) for kind in self.kinds)
        return sum(max(pair) > 1.1 * min(pair) for pair in sides) / len(self.kinds)


def check_number(largest: int, bound: int, images: int, where: Path) -> None:
    """Refuse labels that number more classes than there can be, as ids do.

    Raises:
        PenumbraError: naming the largest label.
    """
    if largest >= bound:
        raise PenumbraError(
            f"{readable(str(where))}: the largest label is {largest} among {images:,} images, so "
            "labels are ids and number no classes; number these from 0 to one less than there are "
            "classes, or give a column of class names"
        )


def _seen(row: tuple[str, Stored, int]) -> Seen:
    origin, image, label = row
    try:
        content = image.encoded() if isinstance(image, Encoded) else Path(str(image)).read_bytes()
        digest = hashlib.blake2b(content, digest_size=16).digest()
        return Seen(origin, label, digest, kind(io.BytesIO(content)))
    except Exception as error:  # decoders raise anything where bytes are damaged
        return Seen(origin, label, b"", None, reason(error))


def shared(looks: Iterable[tuple[str, Look]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Images whose files are alike, byte by byte, by the two sets that hold them.

    Of each pair the names in both sets; a set may share images with itself.
    """
    first: dict[bytes, tuple[str, str]] = {}
    shared: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, look in looks:
        for image in look.images:
            if not image.digest:
                continue
            holder, origin = first.setdefault(image.digest, (name, image.origin))
            if (holder, origin) != (name, image.origin):
                shared.setdefault((holder, name), []).append((origin, image.origin))
    return shared
