"""Batch norm over the images of several processes.

torch's own refuses the CPU, where the tests run. Processes may hold different numbers of images,
or none.
"""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise(model: nn.Module) -> None:
    """Let every batch norm of the model, with weights and running statistics, count all images.

    The modules stay where they are and keep their tensors; only their forward pass differs.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = SyncedBatchNorm


class SyncedBatchNorm(_BatchNorm):
    """In train mode, the mean and variance of all processes' values; in eval mode as ever."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions from two will do."""

    def forward(self, input: Tensor) -> Tensor:
        """Inputs (n, C, ...) -> outputs of that shape."""
        if not self.training:
            return super().forward(input)
        mean, variance, count = _moments(input, self.running_mean)
        with torch.no_grad():
            unbiased = variance * (count / (count - 1))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked += 1
        return _Normalised.apply(input, self.weight, self.bias, mean, variance, count, self.eps)


class _Normalised(torch.autograd.Function):
    """Batch norm by given moments, whose gradient knows that they depend on the inputs."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance, count)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *outward: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, count = ctx.saved_tensors
        shape = (1, -1, *[1] * (x.ndim - 2))
        scale = (variance + ctx.eps).rsqrt()
        gradient = outward[0].to(mean.dtype)
        normal = (x - mean.view(shape)) * scale.view(shape)
        dims = _others(x)
        of_bias, of_weight = gradient.sum(dims), (gradient * normal).sum(dims)
        means = torch.stack([of_bias, of_weight])
        dist.all_reduce(means)
        by_mean, by_scale = (means / count).unbind()
        inward = gradient - by_mean.view(shape) - normal * by_scale.view(shape)
        inward = inward * (weight * scale).view(shape)
        return inward.to(x.dtype), of_weight, of_bias, None, None, None, None


@torch.no_grad()
def _moments(x: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), biased variance (C,) and number () of all processes' values, in like's type."""
    own = like.new_zeros(2 * len(like) + 1)
    if len(x):
        variance, mean = torch.var_mean(x.to(like.dtype), _others(x), correction=0)
        own = torch.cat([mean, variance, like.new_full((1,), x.numel() // len(like))])
    every = own.new_empty(dist.get_world_size() * len(own))
    dist.all_gather_into_tensor(every, own)
    means, variances, counts = every.view(-1, len(own)).split([len(like), len(like), 1], 1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    return mean, variance, counts.sum()


def _others(x: Tensor) -> list[int]:
    """All dimensions but the channels'."""
    return [0, *range(2, x.ndim)]
