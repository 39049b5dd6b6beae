"""RankFeat: the energy of maps without their rank-1 part (Song et al. 2022)."""

import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.probe import Probe

NEEDS = ("maps",)
# Squarings of a Gram matrix: its 2^30th power tells singular values apart by a relative 1e-8.
SQUARINGS = 30


def score(probe: Probe, x: Tensor) -> Tensor:
    """logsumexp of the mean logits of two passes: (n, 3, H, W) -> (n,).

    One strips the last level's map, the other that of the level before it (Section 3.3). A map is
    taken as a matrix of channels by positions; a transformer's tokens are one as they are.

    Raises:
        PenumbraError: the network has no levels.
    """
    levels = probe.model.levels[-2:]
    if not levels:
        raise PenumbraError(f"scorer rankfeat: {type(probe.model).__name__} has no levels to strip")
    maps = probe.outputs_of(x, levels)
    logits = [probe.onward(level, stripped(maps[level])) for level in levels]
    return torch.logsumexp(torch.stack(logits).mean(0), 1)


def stripped(maps: Tensor) -> Tensor:
    """Maps (n, C, H, W) or tokens (n, L, D) without the rank-1 part of each image's matrix."""
    return without_rank1(maps.flatten(2)).view_as(maps)


def without_rank1(matrices: Tensor) -> Tensor:
    """Matrices (…, a, b) less the term of their largest singular value.

    Zero matrices stay. Where the two largest values are equal the term is no more unique than in
    the decomposition itself.
    """
    if matrices.shape[-2] < matrices.shape[-1]:
        return without_rank1(matrices.mT).mT
    v = _top_eigenvector(matrices.mT @ matrices)
    return matrices - (matrices @ v) @ v.mT


def _top_eigenvector(grams: Tensor) -> Tensor:
    """Of positive semi-definite matrices (…, b, b), as columns (…, b, 1).

    Powers by squaring leave the top direction alone, in batched products that a GPU does fast.
    """
    tiny = torch.finfo(grams.dtype).tiny
    for _ in range(SQUARINGS):
        trace = grams.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        grams = grams / trace.clamp(min=tiny)
        grams = grams @ grams
    largest = grams.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    column = grams.gather(-1, largest.expand(*grams.shape[:-1], 1))
    return column / torch.linalg.vector_norm(column, dim=-2, keepdim=True).clamp(min=tiny)
