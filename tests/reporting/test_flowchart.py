"""Boxes and arrows: nothing lies on anything else, and no text leaves its box."""

import matplotlib.pyplot as plt
import pytest

from penumbra.audit.lineage import Node
from penumbra.reporting.flowchart import HALF, flowchart, route


def test_no_two_arrows_lie_on_each_other():
    routes = [route((2, 0), (0, -1.55), lane, 3) for lane in range(3)]
    for way in routes:
        assert way[0][1] < 0  # out of the bottom
        assert way[-1][0] < 0  # into the left side
    assert len({way[1][1] for way in routes}) == len({way[2][0] for way in routes}) == 3
    assert len({way[0][0] for way in routes}) == len({way[-1][1] for way in routes}) == 3


@pytest.mark.parametrize("line", ["short", "scores: a-recipe-with-a-long-name/energy"])
def test_no_text_is_wider_than_its_box(line):
    figure, axis = plt.subplots(figsize=(10, 3))
    nodes = [Node(role, "scores", "name", (), {}, 0) for role in "abcd"]
    flowchart(axis, nodes, dict.fromkeys("abcd", ("Heading", [line, "4"])), 4)
    figure.canvas.draw()
    to_axis = axis.transData.inverted()
    widths = [text.get_window_extent().transformed(to_axis).width for text in axis.texts]
    plt.close(figure)
    assert len(widths) == 8
    assert max(widths) < 2 * HALF
    assert (min(text.get_fontsize() for text in axis.texts) < 7.5) == (line != "short")
