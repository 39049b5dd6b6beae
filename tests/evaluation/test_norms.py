"""Jigsaw images and the choice of a block."""

import math

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.evaluation.norms import behind, jigsaw, largest, tile_orders


def test_jigsaw_moves_whole_tiles_and_leaves_the_rest_black():
    x = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32) + 1
    orders = tile_orders(2)
    moved = jigsaw(x, orders)
    assert moved[:, :, 30:].sum() == 0
    assert moved[:, :, :, 30:].sum() == 0
    for n in range(2):
        for place, source in enumerate(orders[n].tolist()):
            top, left = 10 * (place // 3), 10 * (place % 3)
            from_top, from_left = 10 * (source // 3), 10 * (source % 3)
            assert torch.equal(
                moved[n, :, top : top + 10, left : left + 10],
                x[n, :, from_top : from_top + 10, from_left : from_left + 10],
            )


def test_orders_belong_to_samples():
    assert torch.equal(tile_orders(5)[:3], tile_orders(3))


def test_the_block_of_the_largest_ratio_is_chosen_and_none_that_is_not_finite():
    ratios = {"conv1": math.nan, "layer1.0": 1.1, "layer1.1": 1.5, "layer2.0": math.inf}
    assert largest(ratios) == "layer1.1"
    with pytest.raises(PenumbraError, match=r"no block has a finite norm ratio.*train it"):
        largest({"conv1": math.nan, "layer1.0": math.inf})


@pytest.mark.parametrize(
    ("block", "place", "read"),
    [
        ("layer1.0", "input", "layer1.0"),
        ("layer2.0", "layer1.0", "layer2.0"),
        ("layer1.0", "layer1.0", "layer1.0"),
        ("layer1.0", "layer2.0", "layer2.0"),
    ],
)
def test_a_block_before_the_map_gives_way_to_the_first_that_it_reaches(block, place, read):
    assert behind(block, ("layer1.0", "layer1.1", "layer2.0"), place) == read
