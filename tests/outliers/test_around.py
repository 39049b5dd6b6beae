"""NPOS's outliers, by distances: around points of the boundary, those farthest out."""

import torch
import torch.nn.functional as F

from penumbra.outliers import around


def test_outliers_are_the_farthest_out_around_points_of_the_boundary():
    rows = F.normalize(torch.randn(2, 30, 6, generator=torch.Generator().manual_seed(0)) + 1, dim=2)
    draw = around.Draw(neighbour=4, boundary=7, points=2, candidates=50, outliers=3, deviation=0.3)
    found = around.outliers(rows, draw, torch.Generator().manual_seed(3)).view(2, 2, 3, 6)
    again = torch.Generator().manual_seed(3)
    for own, of_class in zip(rows.double(), found, strict=True):
        reach = torch.cdist(own, own).sort(1).values[:, 4]
        edge = reach.argsort(descending=True)[:7]
        order = torch.randperm(7, generator=again)[:2]
        noise = torch.randn(2, 50, 6, generator=again)
        for point, drawn, kept in zip(own[edge[order]], noise, of_class, strict=True):
            candidates = F.normalize(point + 0.3 * drawn.double(), dim=1)
            reach = torch.cdist(candidates, own).sort(1).values[:, 3]
            wanted = candidates[reach.argsort(descending=True)[:3]]
            torch.testing.assert_close(kept.double(), wanted, rtol=1e-5, atol=1e-6)
