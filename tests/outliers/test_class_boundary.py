"""Outliers at the boundary of a class: where they lie, and that no round depends on another."""

import pytest
import torch
import torch.nn.functional as F

from penumbra.errors import PenumbraError
from penumbra.options.kinds.dream import Sampling
from penumbra.outliers.class_boundary import drawn, edge

HOW = Sampling(queue=40, neighbour=4, boundary=5, chosen=3, candidates=60, deviation=0.1, kept=2)


@pytest.fixture
def own():
    """35 embeddings close together, and five apart from all."""
    generator = torch.Generator().manual_seed(0)
    close = torch.tensor([1.0, 0, 0, 0]) + 0.05 * torch.randn(35, 4, generator=generator)
    apart = torch.tensor([1.0, 1, 0, 0]) + 0.3 * torch.randn(5, 4, generator=generator)
    return F.normalize(torch.cat([close, apart]), dim=1)


def test_the_boundary_is_what_lies_apart(own):
    assert {*edge(own, HOW, "a").rows.tolist()} == {35, 36, 37, 38, 39}


def test_outliers_lie_farther_out_than_where_they_were_drawn(own):
    around = edge(own, HOW, "a")
    points, rows = drawn(around, HOW, 7, 0)
    assert points.shape == (6, 4)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(6))
    assert len({*rows.tolist()}) == 3
    fourth = (points @ own.T).topk(4).values[:, -1]
    at = (own[rows] @ own.T).topk(5).values[:, -1]
    assert (fourth < at).all()


def test_a_round_depends_on_its_number_alone(own):
    around = edge(own, HOW, "a")
    first, again, other = (drawn(around, HOW, 7, turn)[0] for turn in (2, 2, 3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_class_of_few_images_has_a_boundary_in_proportion(own):
    few = edge(own[:8], HOW, "a")
    assert (few.neighbour, len(few.rows), few.chosen) == (1, 1, 1)
    assert len(drawn(few, HOW, 7, 0)[0]) == HOW.kept
    with pytest.raises(PenumbraError, match="class a: 1 training images have no boundary"):
        edge(own[:1], HOW, "a")
