"""Data sets as torchvision reads them, and fetches them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.layout import Location, can_fetch, locate


def published_by_torchvision(
    dataset: dict[str, Any], split: str, folder: Path, download: bool
) -> Any:
    """torchvision's data set of a split.

    Raises:
        PenumbraError: its files are not whole, or cannot be fetched.
    """
    import torchvision.datasets  # seconds to import; only this layout needs it

    published = getattr(torchvision.datasets, dataset["official"]["torchvision"])
    try:
        # Verifies checksums before it unpickles anything.
        return published(folder, download=download, **dataset["official"]["arguments"][split])
    except (RuntimeError, OSError) as error:
        raise PenumbraError(f"{dataset['title']} in {folder}: {error}") from error


def fetched(name: str, dataset: dict[str, Any], split: str, root: Path) -> Location | None:
    """Where a split lies after torchvision fetched it below `root`; None where it cannot.

    Raises:
        PenumbraError: the download fails.
    """
    if not can_fetch(dataset):
        return None
    with _alone(root):
        published_by_torchvision(dataset, split, root, download=True)
    return locate(name, dataset, split, root)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One download below a root at a time: two splits are often one archive, and two jobs."""
    with open(root / ".downloading", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
