"""MIDOG++ (Aubreville et al. 2023) as published: slides `NNN.tiff` beside one `.json` like COCO's.

Patches are cut as OpenMIBOOD (Deodhar et al. 2025) does, which takes boxes of 50×50 alone: what is
annotated, here whatever its box measures, and of normal cells each patch moved aside, where it
meets no annotation.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.cuts import Box, Cut, Pictures
from penumbra.images.decode import reason
from penumbra.images.listed import Listed
from penumbra.images.places import drawn
from penumbra.options.ranges import Count, Distinct, Rising, Share, at_least

# OpenMIBOOD's names; 151 to 200 are breast cancer slides without annotations.
DOMAINS = {
    "1a": range(1, 51),  # human breast cancer, Hamamatsu XR
    "1b": range(51, 101),  # human breast cancer, Hamamatsu S360
    "1c": range(101, 151),  # human breast cancer, Aperio CS2
    "2": range(201, 245),  # canine lung cancer
    "3": range(245, 300),  # canine lymphoma
    "4": range(300, 350),  # canine cutaneous mast cell tumour
    "5": range(350, 405),  # human neuroendocrine tumour
    "6a": range(405, 490),  # canine soft tissue sarcoma, New York
    "6b": range(490, 505),  # canine soft tissue sarcoma, Vienna
    "7": range(505, 554),  # human melanoma
}
Domain = Literal["1a", "1b", "1c", "2", "3", "4", "5", "6a", "6b", "7"]
NORMAL, CLASSES = "normal cells", ["mitotic figure", "hard negative"]  # categories 1 and 2
KEYS = {"images": ("id", "file_name"), "annotations": ("id", "image_id", "category_id", "bbox")}


class Slide(NamedTuple):
    """A slide: its file; of its annotations number, category and box."""

    file: Path
    marks: list[tuple[int, int, list[float]]]


def listed(
    place: Path,
    split: str,
    *,
    domains: Annotated[list[Domain], Distinct()],
    share: Annotated[tuple[Share, Share], Rising(strict=True)] = (0.0, 1.0),
    patch: Annotated[int, at_least(8)] = 50,
    shift: Count = 100,
    normal: bool = True,
) -> Listed:
    """Patches of `patch` pixels around the annotations of the slides of some domains.

    Of each domain's slides, in a random order of its own, `share` is used, so that no slide is in
    two splits. What hangs over the border of its slide is left out. With `normal` there are three
    classes: a patch `shift` pixels to the right of each of the others shows normal cells, where it
    lies inside the slide and touches no annotation.

    Raises:
        PenumbraError: slides or annotations are missing, or an annotation is no box of its slide;
            with the file and the annotation.
    """
    file = _annotations(place)
    slides, pictures = _slides(file), Pictures()
    rows: list[tuple[str, Cut, int]] = []
    left_out = 0
    for slide in (each for d in domains for each in _of_domain(slides, d, share, file)):
        width, height = size = _size(slide.file)
        every = [_box(box, patch, slide, number, size, file) for number, _, box in slide.marks]
        own = [
            (box, category)
            for box, (_, category, _) in zip(every, slide.marks, strict=True)
            if min(box) >= 0 and box[2] <= width and box[3] <= height
        ]
        left_out += len(every) - len(own)
        if normal:
            beside = _beside([box for box, _ in own], every, shift)
            own += [(box, 0) for box in beside if box[2] <= width]
        for box, category in own:
            origin = f"{slide.file.name}:{box[0]},{box[1]},{patch}"
            rows.append((origin, Cut(pictures, slide.file, box), category - (not normal)))
    if left_out and not rows:
        raise PenumbraError(
            f"{place}: a patch of {patch} pixels around any of the {left_out} annotations hangs "
            "over the border of its slide; choose a smaller `patch`"
        )
    more = f"{left_out} annotations at the border of their slide are left out" if left_out else ""
    return Listed(rows, [NORMAL, *CLASSES] if normal else CLASSES, more)


def _annotations(place: Path) -> Path:
    """The one file of annotations."""
    files = sorted(place.glob("*.json"))
    if len(files) != 1:
        has = f"several files .json ({', '.join(f.name for f in files)})" if files else "no .json"
        raise PenumbraError(f"{place}: {has}; put MIDOG++.json beside the slides, and no other one")
    return files[0]


def _slides(file: Path) -> dict[int, Slide]:
    """By the number of their files, all slides that a file of annotations lists."""
    try:
        data = json.loads(file.read_text("utf-8-sig"))
    except ValueError as error:
        raise PenumbraError(f"{file}: no JSON ({error}); put the published file there") from error
    entries = {key: list(_entries(data, key, file)) for key in KEYS}
    slides: dict[int, Slide] = {}
    by_id: dict[Any, Slide] = {}
    for entry in entries["images"]:
        name = str(entry["file_name"])
        slide = by_id[entry["id"]] = Slide(file.parent / name, [])
        stem = Path(name).stem
        if not stem.isdecimal():
            raise PenumbraError(f"{file}: image {name!r} has no number; slides are 001.tiff to …")
        slides[int(stem)] = slide
    for entry in entries["annotations"]:
        number, category = entry["id"], entry["category_id"]
        if entry["image_id"] not in by_id:
            raise PenumbraError(
                f"{file}, annotation {number}: there is no image {entry['image_id']}; put the "
                "published file there"
            )
        if category not in range(1, len(CLASSES) + 1):
            raise PenumbraError(
                f"{file}, annotation {number}: category {category} is neither 1 (mitotic figure) "
                "nor 2 (hard negative); put the published file there"
            )
        by_id[entry["image_id"]].marks.append((number, category, entry["bbox"]))
    return slides


def _entries(data: Any, key: str, file: Path) -> Iterator[Mapping[str, Any]]:
    """The entries of a list with the keys that they need."""
    listed = data.get(key) if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise PenumbraError(f"{file}: no list `{key}`; put the published file there")
    for i, entry in enumerate(listed):
        absent = [k for k in KEYS[key] if not isinstance(entry, dict) or k not in entry]
        if absent:
            raise PenumbraError(
                f"{file}: {key}[{i}] has no {', '.join(absent)}; put the published file there"
            )
        strange = [k for k in ("id", "image_id") if not isinstance(entry.get(k, 0), int | str)]
        if strange:
            raise PenumbraError(
                f"{file}: {key}[{i}].{strange[0]} is {entry[strange[0]]!r} and no number; put the "
                "published file there"
            )
        yield entry


def _of_domain(
    slides: Mapping[int, Slide], domain: str, share: tuple[float, float], file: Path
) -> list[Slide]:
    """The slides of a domain that a share has.

    Raises:
        PenumbraError: the domain has no slide or no annotation, a slide is not there, or lies there
            and is not listed.
    """
    numbers = [number for number in DOMAINS[domain] if number in slides]
    strange = [
        path
        for path in sorted(file.parent.glob("*.tif*"))
        if path.stem.isdecimal() and int(path.stem) in DOMAINS[domain]
        and int(path.stem) not in slides
    ]  # fmt: skip
    if strange:
        raise PenumbraError(
            f"{strange[0]}: {file.name} has no entry of it, so it is without annotations; put the "
            "annotations of the same release beside the slides, or take it away"
        )
    if not any(slides[number].marks for number in numbers):
        span = f"{DOMAINS[domain][0]:03} to {DOMAINS[domain][-1]:03}"
        raise PenumbraError(
            f"{file}: no annotation of domain {domain}, slides {span}; put the published file there"
        )
    chosen = [slides[numbers[i]] for i in drawn(len(numbers), share, "midog", domain)]
    for slide in chosen:
        if not slide.file.is_file():
            raise PenumbraError(
                f"{slide.file} is missing, which {file.name} lists; put it there (an incomplete "
                "data set would give other numbers)"
            )
    return chosen


def _size(file: Path) -> tuple[int, int]:
    """Width and height of a slide, which is not decoded."""
    try:
        with Image.open(file) as slide:
            return slide.size
    except Exception as error:  # decoders raise anything where bytes are damaged
        raise PenumbraError(
            f"unreadable slide {file}: {reason(error)}; replace the file"
        ) from error


def _box(box: Any, patch: int, slide: Slide, number: int, size: tuple[int, int], file: Path) -> Box:
    """The patch around the middle of an annotation's [left, top, right, bottom]."""
    where = f"{file}, annotation {number}"
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise PenumbraError(f"{where}: {box!r} is no box of four numbers; correct it")
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if box[0] >= box[2] or box[1] >= box[3]:
        raise PenumbraError(
            f"{where}: the box {box} ends before it begins; boxes are [left, top, right, bottom]"
        )
    if not (0 <= x < size[0] and 0 <= y < size[1]):
        raise PenumbraError(
            f"{where}: the box {box} lies outside {slide.file.name}, which has {size[0]}×{size[1]} "
            "pixels; annotations and slides are of different releases: take both from one"
        )
    left, top = int(np.floor(x - patch / 2)), int(np.floor(y - patch / 2))
    return left, top, left + patch, top + patch


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _beside(boxes: list[Box], every: list[Box], shift: int) -> list[Box]:
    """Boxes moved to the right, where they touch none of all that there are."""
    if not boxes:
        return []
    moved = np.array(boxes) + np.array([shift, 0, shift, 0])
    there = np.array(every)
    apart = (moved[:, None, :2] >= there[None, :, 2:]) | (moved[:, None, 2:] <= there[None, :, :2])
    free = apart.any(2).all(1)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in moved[free]]
