"""Boxes from left to right, line by line, and right-angled arrows between them."""

from collections.abc import Mapping, Sequence

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from penumbra.audit.lineage import Node

COLUMN, LINE = 1.0, 1.55  # distance of the boxes' centres
HALF, TALL = 0.38, 0.36  # half a box
MARGIN = 0.03  # of a box that its text leaves free
SMALLEST = 4  # points
ARROW = "0.35"


def flowchart(
    axis, nodes: Sequence[Node], texts: Mapping[str, tuple[str, Sequence[str]]], columns: int
) -> None:
    """Nodes in order, `columns` a line; `texts` are heading and lines of each by role.

    Above a node stand the inputs that are no nodes. Letters are made to fit the boxes of the axis,
    so it must have its size before.
    """
    places = {node.role: (i % columns, -LINE * (i // columns)) for i, node in enumerate(nodes)}
    lines = -(-len(nodes) // columns)
    axis.set_xlim(-0.62, columns - 0.4)
    axis.set_ylim(-LINE * (lines - 1) - 0.62, 0.95)
    for node in nodes:
        x, y = places[node.role]
        _box(axis, x, y, *texts[node.role])
        _sources(axis, x, y, node.sources)
    edges = [(places[parent], places[node.role]) for node in nodes for parent in node.parents]
    long = [edge for edge in edges if not _adjacent(*edge)]
    for start, end in edges:
        if _adjacent(start, end):
            _arrow(axis, [(start[0] + HALF, start[1]), (end[0] - HALF, end[1])])
    for lane, (start, end) in enumerate(long):
        _arrow(axis, route(start, end, lane, len(long)))


def route(
    start: tuple[float, float], end: tuple[float, float], lane: int, lanes: int
) -> list[tuple[float, float]]:
    """Out of a box's bottom, along a lane below it, and into the other's left side.

    Each of the `lanes` has its own height below the boxes, place between columns, and height on
    the box that it enters, so that no two arrows lie on each other.
    """
    share = (lane + 1) / (lanes + 1)
    out = start[0] - 0.25 + 0.5 * share
    below = start[1] - TALL - 0.04 - 0.18 * share
    gutter = end[0] - HALF - 0.06 - 0.1 * share
    into = end[1] - 0.06 - 0.24 * share
    return [
        (out, start[1] - TALL), (out, below), (gutter, below), (gutter, into), (end[0] - HALF, into)
    ]  # fmt: skip


def _adjacent(start: tuple[float, float], end: tuple[float, float]) -> bool:
    return start[1] == end[1] and end[0] - start[0] == COLUMN


def _box(axis, x: float, y: float, heading: str, lines: Sequence[str]) -> None:
    axis.add_patch(_patch(x - HALF, y - TALL, 2 * HALF, 2 * TALL, "#eef3f9", "#2166ac"))
    _narrowed(
        axis.text(x, y + TALL - 0.05, heading, ha="center", va="top", fontsize=8.5, weight="bold")
    )
    written = "\n".join(lines)
    _narrowed(
        axis.text(x, y - 0.06, written, ha="center", va="center", fontsize=7.5, linespacing=1.35)
    )


def _narrowed(text) -> None:
    """Smaller letters, where a text is wider than its box, down to what can still be read."""
    # By steps: letters are placed on whole pixels, so widths are not proportional to sizes.
    while _width(text) > 2 * HALF - MARGIN and text.get_fontsize() > SMALLEST:
        text.set_fontsize(text.get_fontsize() - 0.25)


def _width(text) -> float:
    return text.get_window_extent().transformed(text.axes.transData.inverted()).width


def _sources(axis, x: float, y: float, sources: Mapping[str, Sequence[str]]) -> None:
    if not sources:
        return
    lines = [f"{kind}: {_listed(names)}" for kind, names in sorted(sources.items())]
    bottom = y + TALL + 0.13
    axis.text(
        x, bottom + 0.02, "\n".join(lines), ha="center", va="bottom", fontsize=6.5, color="0.35"
    )
    _arrow(axis, [(x, bottom), (x, y + TALL)])


def _listed(names: Sequence[str]) -> str:
    more = len(names) - 1
    return names[0] + (f" and {more} more" if more else "")


def _patch(x: float, y: float, width: float, height: float, fill: str, edge: str):
    style = "round,pad=0,rounding_size=0.05"
    return FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=fill, edgecolor=edge)


def _arrow(axis, points: Sequence[tuple[float, float]]) -> None:
    axis.plot(*zip(*points, strict=True), color=ARROW, linewidth=1, solid_joinstyle="round")
    head = FancyArrowPatch(
        points[-2], points[-1], arrowstyle="-|>", mutation_scale=8, color=ARROW, linewidth=1,
        shrinkA=0, shrinkB=0,
    )  # fmt: skip
    axis.add_patch(head)
