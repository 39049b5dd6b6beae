"""What a user names to be scored, one image after the other: files, folders, Parquet, lists."""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.images.decode import reason, rgb
from penumbra.images.encoded import Cache, Encoded, RowGroup
from penumbra.images.folders import Folder
from penumbra.images.image_set import row_group
from penumbra.images.names import SUFFIXES, readable, suffix
from penumbra.images.parquet import columns_of
from penumbra.images.prepared import prepared

PARQUET, LIST = ".parquet", "@"
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)  # of Parquet files


class Source(NamedTuple):
    """One image, or what cannot be one: `pixels(way, size)` gives uint8 (3, size, size), or raises.

    `name` can be printed.
    """

    name: str
    pixels: Callable[[str, int], np.ndarray]


def sources(named: Iterable[str]) -> Iterator[Source]:
    """The images of all that is named, in order; folders with all below them, sorted.

    What is not there, or of no use, is one image that cannot be read. Of a Parquet file one row
    group is held in memory, of a folder the names.

    Raises:
        PenumbraError: a list of names is not there or no text.
    """
    for name in named:
        if name.startswith(LIST):
            yield from sources(_listed(Path(name.removeprefix(LIST))))
        elif Path(name).is_dir():
            yield from _of_folder(Path(name))
        elif name.lower().endswith(PARQUET):
            yield from _of_parquet(Path(name))
        else:
            yield _of_file(Path(name))


def files(named: Iterable[str]) -> Iterator[Path]:
    """All files and lists that are named, themselves or by a list; of a folder none of its own."""
    for name in named:
        yield Path(name.removeprefix(LIST))
        if name.startswith(LIST):
            yield from files(_listed(Path(name.removeprefix(LIST))))


def check(named: Iterable[str], within: tuple[Path, ...] = ()) -> None:
    """Look at all lists before an image is read, and at what is named outside of them.

    Raises:
        PenumbraError: a list is not there, is empty, has columns, or names itself; a name is empty,
            or is no image's or Parquet file's and nothing is there. An image that is not there is a
            broken one.
    """
    for name in named:
        if not name.removeprefix(LIST):
            raise PenumbraError(f"{name!r} names no image; is a variable of the shell empty?")
        if not within and _is_no_image(name) and not _is_there(name):
            raise PenumbraError(
                f"{readable(name)}: there is no such file or folder; name what is there"
            )
        if within and "," in name and _is_no_image(name) and not _is_there(name):
            raise PenumbraError(
                f"{LIST}{within[-1]}: the line {readable(name)!r} names nothing that is there; a "
                "list has one name a line, without columns: `cut -d, -f1` takes the first"
            )
        if name.startswith(LIST):
            file = Path(name.removeprefix(LIST))
            if file.resolve() in within:
                raise PenumbraError(f"{name}: the list names itself; take that line out")
            if next(_listed(file), None) is None:
                raise PenumbraError(f"{name}: the list names no image; is it the one meant?")
            check(_listed(file), (*within, file.resolve()))


def _is_no_image(name: str) -> bool:
    return not name.startswith(LIST) and suffix(Path(name).name) not in {*SUFFIXES, PARQUET}


def _is_there(name: str) -> bool:
    """Also where it cannot be looked at: who reads it says so."""
    try:
        return Path(name).exists()
    except OSError:
        return True


def _listed(file: Path) -> Iterator[str]:
    """The lines of a text file that are not empty."""
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            yield from filter(None, (line.rstrip("\r\n") for line in lines))
    except OSError as error:
        raise PenumbraError(f"{LIST}{file}: the list cannot be read ({reason(error)})") from error


def _of_file(file: Path) -> Source:
    def pixels(way: str, size: int) -> np.ndarray:
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise ValueError("it is a pipe or a device and no file")
        return prepared(rgb(file), way, size)

    return Source(readable(str(file)), pixels)


def _of_folder(path: Path) -> Iterator[Source]:
    folder = Folder(path)
    yield from (_of_file(path / name) for name in folder.names)
    yield from (_broken(path, trouble) for trouble in folder.troubles)
    if not folder.names and not folder.troubles:
        yield _broken(path, "the folder holds no images")


def _broken(path: Path, why: str) -> Source:
    def pixels(way: str, size: int) -> np.ndarray:
        raise ValueError(why)

    return Source(readable(str(path)), pixels)


def _of_parquet(file: Path) -> Iterator[Source]:
    try:
        with pq.ParquetFile(file) as opened:
            meta = opened.metadata
            groups = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
            is_image_set = b"shape" in (opened.schema_arrow.metadata or {})
            if not is_image_set:
                columns_of(opened, file, labelled=False)  # refuses what holds no images
    except (*UNREADABLE, PenumbraError) as error:
        yield _broken(file, reason(error).removeprefix(f"{file}: "))
        return
    make = _of_image_set if is_image_set else _of_row_group
    for number, rows in enumerate(groups):
        yield from make(file, number, rows, sum(groups[:number]))


def _of_row_group(file: Path, number: int, rows: int, start: int) -> Iterator[Source]:
    """Encoded images; the group is read when the first of them is."""
    cache = Cache()
    for row in range(rows):
        image = Encoded(cache, RowGroup(file, number), row)

        def pixels(way: str, size: int, image: Encoded = image) -> np.ndarray:
            return prepared(rgb(io.BytesIO(image.encoded())), way, size)

        yield Source(f"{readable(str(file))}[{start + row}]", pixels)


def _of_image_set(file: Path, number: int, rows: int, start: int) -> Iterator[Source]:
    """Images that the workflow has made square, or listed."""
    try:
        images = row_group(file, number).pixels
    except (*UNREADABLE, PenumbraError) as error:
        yield _broken(file, f"row group {number} of {rows} images: {reason(error)}")
        return
    for row in range(rows):

        def pixels(way: str, size: int, image: np.ndarray = images[row]) -> np.ndarray:
            if image.shape != (3, size, size):
                raise ValueError(
                    f"the image set's shape is {image.shape}; {(3, size, size)} needed"
                )
            return image

        yield Source(f"{readable(str(file))}[{start + row}]", pixels)
