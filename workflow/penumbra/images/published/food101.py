"""Food-101 (Bossard et al. 2014) as published: `images/<class>/<number>.jpg`, lists in `meta/`."""

import json
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.classes import lines_of
from penumbra.images.listed import Listed
from penumbra.images.names import check_classes, in_order


def listed(place: Path, split: str) -> Listed:
    """The images that `meta/<split>.txt`, or else `meta/<split>.json`, names.

    Raises:
        PenumbraError: there is no list, it is of another form, or it names an image that is not
            there; with the list and the line.
    """
    names = _names(place, split)
    files = [place / "images" / f"{name}.jpg" for _, name in names]
    for (where, name), file in zip(names, files, strict=True):
        if name.count("/") != 1:
            raise PenumbraError(
                f"{where}: {name[:100]!r} is no `class/number`; take the list of the archive"
            )
        if not file.is_file():
            raise PenumbraError(
                f"{where}: there is no {file}; unpack the archive again, or take the line out"
            )
    classes = in_order(name.partition("/")[0] for _, name in names)
    check_classes(classes, place / "meta")
    label = {name: i for i, name in enumerate(classes)}
    rows = [
        (f"{name}.jpg", file, label[name.partition("/")[0]])
        for (_, name), file in zip(names, files, strict=True)
    ]
    return Listed(rows, classes)


def _names(place: Path, split: str) -> list[tuple[str, str]]:
    """`class/number` of every image, and where it is said."""
    text, data = (place / "meta" / f"{split}.{end}" for end in ("txt", "json"))
    if text.is_file():
        return [(f"{text}, line {i}", name) for i, name in enumerate(lines_of(text), 1)]
    if not data.is_file():
        raise PenumbraError(f"there is no {text} and no {data}; unpack the archive again")
    try:
        by_class = json.loads(data.read_text("utf-8"))
        return [(f"{data}, {cls}", str(name)) for cls in by_class for name in by_class[cls]]
    except (ValueError, TypeError) as error:
        raise PenumbraError(
            f"{data}: no JSON of lists by class ({error}); unpack the archive again"
        ) from error
