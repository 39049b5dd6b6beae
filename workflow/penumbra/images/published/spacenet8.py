"""SpaceNet-8 (Hänsch et al. 2022) as published: tiles of two cities before and after a flood.

Below a folder for each city: `PRE-event/`, `POST-event/`, `annotations/`, and a table that tells
which images are of one tile.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.cuts import Box, Cut, Pictures
from penumbra.images.decode import reason
from penumbra.images.listed import Listed, Stored
from penumbra.images.places import drawn
from penumbra.options.ranges import Rising, Share, within

CITIES = {"Germany": "Germany_Training_Public", "Louisiana-East": "Louisiana-East_Training_Public"}
BEFORE, AFTER = ("pre-event image",), ("post-event image 1", "post-event image 2")
LABEL = "label"
FLOODED = {"yes": True, "no": False, "": False, "none": False}


class Tile(NamedTuple):
    """Images of a place before and after the event, and whether a building or road is flooded."""

    before: list[Path]
    after: list[Path]
    is_flooded: bool


def listed(
    place: Path,
    split: str,
    *,
    shows: Literal["dry", "flooded"],
    share: Annotated[tuple[Share, Share], Rising(strict=True)] = (0.0, 1.0),
    variant: Literal["pre", "post", "both"] = "both",
    grid: Annotated[int, within(1, 16)] = 1,
) -> Listed:
    """Images of the tiles that a share has, in a random order of each city's own; classes: cities.

    What is dry and what is flooded the paper leaves open. `pre`: all images before the event, and
    all after it. `post`: of those after it alone, tiles without and with a flooded building or
    road. `both`: as `post`, and what was taken before is dry, too. Each image is whole, or cut into
    `grid` × `grid`.

    Raises:
        PenumbraError: a folder, table, image or annotation is missing, or an annotation does not
            say whether it is flooded; with the file and the line.
    """
    rows: list[tuple[str, Stored, int]] = []
    pictures = Pictures()
    for label, folder in enumerate(CITIES.values()):
        tiles = list(_tiles(place / folder))
        for i in drawn(len(tiles), share, "spacenet8", folder):
            for file in _shown(tiles[i], shows, variant):
                origin = str(file.relative_to(place))
                if grid == 1:
                    rows.append((origin, file, label))
                else:
                    rows += [
                        (f"{origin}:{box[0]},{box[1]}", Cut(pictures, file, box), label)
                        for box in _cells(file, grid)
                    ]
    return Listed(rows, [*CITIES])


def _shown(tile: Tile, shows: str, variant: str) -> list[Path]:
    if variant == "pre":
        return tile.before if shows == "dry" else tile.after
    if shows == "flooded":
        return tile.after if tile.is_flooded else []
    dry = [] if tile.is_flooded else tile.after
    return dry if variant == "post" else [*tile.before, *dry]


def _tiles(city: Path) -> Iterator[Tile]:
    """The tiles of a city, in the order of its table."""
    tables = sorted(city.glob("*_label_image_mapping.csv"))
    if len(tables) != 1:
        has = "several tables" if tables else "no table"
        raise PenumbraError(
            f"{city}: {has} *_label_image_mapping.csv; unpack {city.name}.tar.gz there"
        )
    rows = _rows(tables[0])
    if not rows:
        raise PenumbraError(f"{tables[0]}: it lists no tile; unpack {city.name}.tar.gz again")
    for line, row in rows:
        where = f"{tables[0]}, line {line}"
        annotations = _images(city / "annotations", row, (LABEL,), where)
        yield Tile(
            _images(city / "PRE-event", row, BEFORE, where),
            _images(city / "POST-event", row, AFTER, where),
            _is_flooded(annotations[0]),
        )


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a city's table, each with its line."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        try:
            absent = {LABEL, *BEFORE, AFTER[0]} - {*(rows.fieldnames or ())}
            if absent:
                raise PenumbraError(
                    f"{table}, line 1: no column {', '.join(sorted(absent))}; unpack it again"
                )
            return [(rows.line_num, row) for row in rows]
        except (csv.Error, UnicodeDecodeError) as error:
            raise PenumbraError(
                f"{table}, line {rows.line_num + 1}: {error}; unpack it again"
            ) from error


def _images(folder: Path, row: dict[str, str], columns: tuple[str, ...], where: str) -> list[Path]:
    """The files in a folder that some columns of a row name; the first column names one."""
    names = [(row.get(column) or "").strip() for column in columns]
    if not names[0]:
        raise PenumbraError(f"{where}: `{columns[0]}` names no file; unpack the table again")
    return [_there(folder / name, where) for name in names if name]


def _there(file: Path, where: str) -> Path:
    if not file.is_file():
        raise PenumbraError(f"{where}: there is no {file}; unpack the archive again")
    return file


def _is_flooded(file: Path) -> bool:
    """Whether a building or road of a tile is flooded.

    Raises:
        PenumbraError: the file is no GeoJSON, or a feature of it does not say.
    """
    try:
        features = json.loads(file.read_text("utf-8-sig"))["features"]
        properties = [feature["properties"] or {} for feature in features]
        said = [{str(k).lower(): v for k, v in each.items()} for each in properties]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PenumbraError(f"{file}: no GeoJSON ({error!r}); unpack the archive again") from error
    answers = []
    for i, each in enumerate(said):
        if "flooded" not in each:
            raise PenumbraError(
                f"{file}: feature {i} has no property `Flooded`; take the annotations of the "
                "training areas, which state it"
            )
        answer = str(each["flooded"] if each["flooded"] is not None else "").strip().lower()
        if answer not in FLOODED:
            raise PenumbraError(
                f"{file}: feature {i}: Flooded is {each['flooded']!r}, neither yes nor no; correct "
                "it"
            )
        answers.append(FLOODED[answer])
    return any(answers)


def _cells(file: Path, grid: int) -> Iterator[Box]:
    """The boxes of an image's grid, row by row."""
    try:
        with Image.open(file) as image:
            width, height = image.size
    except OSError as error:
        raise PenumbraError(f"unreadable image {file}: {reason(error)}; replace it") from error
    if min(width, height) < grid:
        raise PenumbraError(f"{file}: {width}×{height} pixels are no {grid}×{grid} grid")
    for row in range(grid):
        for column in range(grid):
            yield (
                column * width // grid,
                row * height // grid,
                (column + 1) * width // grid,
                (row + 1) * height // grid,
            )
