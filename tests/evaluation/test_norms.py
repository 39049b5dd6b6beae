"""Jigsaw images and the choice of a block."""

import torch

from penumbra.evaluation.norms import choose, jigsaw, tile_orders


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


def test_choice_of_a_block():
    ratios = {"layer1.0": 1.1, "layer1.1": 1.5, "layer2.0": 1.2}
    assert choose("selected", ratios) == "layer1.1"
    assert choose("last", ratios) == "layer2.0"
    assert choose("layer1.0", ratios) == "layer1.0"
