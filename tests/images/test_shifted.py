"""The grid of semantic and covariate shift that is made from images at hand."""

import itertools

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.images.readers import digits, grid, shifted, windows
from penumbra.images.shift import blend, degrade
from penumbra.images.subset import select
from tests.images.helpers import digits_of, spec, whole

NONE = {"semantic": 0, "covariate": 0}


def config(catalogue, **changes):
    dataset = catalogue["digits-shifted"]
    sources = {name: catalogue[name] for name in (dataset["base"], dataset["other"]["dataset"])}
    base = spec(name="cell", dataset_name="digits-shifted", dataset=dataset, split="test")
    return base | {"sources": sources, "count": None} | changes


def cell(catalogue, semantic, covariate, **changes):
    given = config(catalogue, semantic=semantic, covariate=covariate, **changes)
    return whole(select(shifted.entries(given, None), given))


def test_no_shift_is_the_original_bit_for_bit(catalogue):
    original = digits_of("test")
    for levels in ((0, 0), (None, None)):
        found = cell(catalogue, *levels)
        assert np.array_equal(found.pixels, original.pixels)
        assert (found.origins, found.classes) == (original.origins, original.classes)
        assert np.array_equal(found.labels, original.labels)


def test_full_semantic_shift_is_other_content(catalogue):
    found = cell(catalogue, 7, 0, limit=40)
    entry = catalogue["skimage-photographs"]
    given = {"name": "skimage-photographs", "dataset": entry, "size": 32}
    others = windows.entries(given | {"count": entry["splits"]["test"]["count"]}, None)
    by_origin = {row.origin: row.pixels for row in others.rows}
    for image, origin in zip(found.pixels, found.origins, strict=True):
        assert np.array_equal(image, by_origin[origin.split(" + ")[1]]())
    assert len({origin.split(" + ")[1] for origin in found.origins}) > 25


def test_an_image_does_not_depend_on_the_others(catalogue):
    every = cell(catalogue, 3, 5)
    place = {origin: i for i, origin in enumerate(every.origins)}
    for changes in ({"limit": 30}, {"classes": [4, 2]}, {"share": [0.5, 1]}):
        part = cell(catalogue, 3, 5, **changes)
        rows = [place[origin] for origin in part.origins]
        assert np.array_equal(part.pixels, every.pixels[rows])
    assert part.labels.tolist() == every.labels[rows].tolist()


def test_shifts_grow_along_both_axes(catalogue):
    """Images move ever further from the original, and ever fewer digits are read rightly.

    The class means of clean digits read them: not at all where the content is gone, but often
    where only the look has changed.
    """
    train = digits_of("train")
    means = [train.pixels[train.labels == digit].mean(0) for digit in range(10)]

    def right(images):
        apart = [np.square(images.pixels - mean).sum((1, 2, 3)) for mean in means]
        return float((np.argmin(apart, 0) == images.labels).mean())

    at_end = []
    for axis in ({"semantic": 1}, {"covariate": 1}):
        levels = [{key: step * level for key, step in axis.items()} for level in (0, 2, 4, 7)]
        line = [cell(catalogue, **{**NONE, **level}, limit=250) for level in levels]
        away = [
            np.abs(images.pixels - line[0].pixels.astype(float)).mean((1, 2, 3)) for images in line
        ]
        assert all((a < b).mean() > 0.98 for a, b in itertools.pairwise(away))
        read = [right(images) for images in line]
        assert read[0] > 0.85
        assert read[1] > read[2] > read[3]
        at_end.append(read[3])
    assert at_end[0] < 0.2
    assert at_end[1] > 0.4


def test_blending_keeps_the_contrast(catalogue):
    """Contrast and brightness must not tell the semantic level: that would be covariate shift."""
    spread = [
        cell(catalogue, level, 0, limit=100).pixels.std((1, 2, 3)).mean() for level in range(8)
    ]
    assert max(spread) - min(spread) < 0.05 * spread[0]


def test_blend_and_degrade_at_their_ends():
    images = digits_of("heldout").pixels
    a, b = images[0], images[100]
    assert blend(a, b, 0) is a
    assert np.array_equal(blend(a, b, 1), b)
    assert degrade(a, 0, seed=1) is a
    assert np.array_equal(degrade(a, 0.5, seed=1), degrade(a, 0.5, seed=1))
    assert not np.array_equal(degrade(a, 0.5, seed=1), degrade(a, 0.5, seed=2))
    grey = degrade(a, 1, seed=1)
    assert np.array_equal(grey[0], grey[1])
    assert grey.dtype == np.uint8


@pytest.mark.parametrize("key", ["semantic", "covariate"])
@pytest.mark.parametrize("level", [8, -1])
def test_levels_outside_the_grid_are_refused(catalogue, key, level):
    with pytest.raises(PenumbraError, match=rf"image_sets\.cell\.{key}: unknown level '{level}'"):
        shifted.entries(config(catalogue, **{key: level}), None)


def test_split_that_the_base_lacks(catalogue):
    with pytest.raises(PenumbraError, match="digits-shifted: unknown split 'val'"):
        shifted.entries(config(catalogue, split="val"), None)


def test_nothing_is_decoded_to_list(catalogue, monkeypatch):
    def refuse(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(digits, "render", refuse)
    assert len(shifted.entries(config(catalogue, semantic=1), None)) == 899


def test_stored_images_are_shifted_too(request, catalogue):
    root = request.config.getoption("--vectors").parent / "data"
    if not (root / "tiny_imagenet50").is_dir():
        pytest.skip(f"no {root}/tiny_imagenet50")
    dataset = catalogue["tiny-imagenet50-shifted"]
    sources = {name: catalogue[name] for name in ("tiny-imagenet50", "textures64")}
    given = config(catalogue, dataset=dataset, dataset_name="tiny-imagenet50-shifted", size=64)
    given |= {"sources": sources, "limit": 4, "covariate": 3}
    plain, mixed = (
        whole(select(shifted.entries(given | {"semantic": level}, root), given)) for level in (0, 3)
    )
    assert plain.pixels.shape == mixed.pixels.shape == (4, 3, 64, 64)
    assert not np.array_equal(plain.pixels, mixed.pixels)
    assert mixed.origins[0].startswith(plain.origins[0])


def test_the_grid_shows_the_same_images_in_every_cell(catalogue):
    dataset = {**catalogue["digits-grid"], "per_cell": 5}
    given = config(catalogue, dataset=dataset, dataset_name="digits-grid")
    found = grid.entries(given, None)
    assert len(found) == 64 * 5
    assert found.classes[8 * 3 + 5] == "cov_3_sem_5"
    of_cell = [[r for r in found.rows if r.label == label] for label in range(64)]
    assert all(len(rows) == 5 for rows in of_cell)
    # Cell (0, 0) is the digits; along either axis images move away from it.
    base, other = shifted.sources(given, None)
    originals = {f"cov_0_sem_0/{row.origin}": row.pixels() for row in base.rows}
    plain = np.stack([row.pixels() for row in of_cell[0]])
    assert all(
        np.array_equal(p, originals[r.origin]) for p, r in zip(plain, of_cell[0], strict=True)
    )
    assert len(other) > 0
    for axis in ([8 * i for i in range(8)], list(range(8))):
        away = [
            np.mean(np.abs(np.stack([r.pixels() for r in of_cell[c]]).astype(float) - plain))
            for c in axis
        ]
        assert away == sorted(away)
        assert away[-1] > away[1] > 0
