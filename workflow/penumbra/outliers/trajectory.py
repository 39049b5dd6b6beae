"""Outlier embeddings: anchors noised and denoised by DDIM under guidance (Bad-OOD, section 3)."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.generative.denoiser import summed
from penumbra.networks.generative.diffusion import Step
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.graphs import Graphed, side_stream
from penumbra.outliers.guidance import Estimate, Guidance, minority


@dataclass(frozen=True)
class Draws:
    """The unit normals of one batch: N samples of R numbers, S steps, K Monte-Carlo samples.

    start (N, R) noises the anchors; again (S, K, N, R) the estimates; fresh (S, N, R) is DDIM's own
    noise at eta > 0; push (S, N, R) stands for the gradient where the direction is Gaussian.
    """

    start: Tensor
    again: Tensor | None = None
    fresh: Tensor | None = None
    push: Tensor | None = None


def noise(seeds: Sequence[int], count: int, width: int) -> Tensor:
    """Unit normals (N, count, width) float32; those of a sample follow from its seed alone.

    A seed, below 2^64, is the key of a counter-based generator (Salmon et al. 2011). torch's own
    would use 32 bits of it, too few to tell 130,000 samples apart.
    """
    drawn = np.empty((len(seeds), count, width), dtype=np.float32)

    def fill(part: range) -> None:
        for i in part:
            generator = np.random.Generator(np.random.Philox(key=seeds[i]))
            generator.standard_normal(out=drawn[i], dtype=np.float32)

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, [range(i, len(seeds), threads) for i in range(threads)]))
    return torch.from_numpy(drawn)


class Sampler:
    """Samples outlier embeddings from one RDM, on its device, by one recipe.

    The network runs in `dtype` (bfloat16 is enough); states and steps keep the RDM's own. With
    `graphs`, batches of one size are replayed as a CUDA graph, without which small ones wait for
    their launches.

    Raises:
        PenumbraError: the recipe's indices or grid do not fit the RDM's schedule.
    """

    def __init__(
        self,
        rdm: Rdm,
        guidance: Guidance,
        dtype: torch.dtype | None = None,
        graphs: bool = False,
    ):
        self.rdm, self.guidance = rdm, guidance
        self.schedule = rdm.schedule
        self.device, self.dtype = rdm.betas.device, rdm.betas.dtype
        self.denoiser = rdm.ema_denoiser().to(dtype or self.dtype)
        self.steps = self._steps()
        self.time_terms = self._time_terms()
        self.whole = Graphed(self._whole, graphs)

    def sample(
        self,
        anchors: Tensor,
        seeds: Sequence[int],
        labels: Tensor | None = None,
        batch_size: int = 2048,
    ) -> Tensor:
        """One outlier (N, R) an anchor (N, R); labels (N,) are a conditional RDM's classes.

        An outlier follows from its anchor, label and seed; batches change no more than what the
        order of sums does, below 1e-5.

        Raises:
            PenumbraError: the inputs do not fit the RDM, or an outlier is not finite.
        """
        self._check(anchors, seeds, labels)
        parts: list[Tensor] = []
        with side_stream(self.device):
            for start in range(0, len(anchors), batch_size):
                rows = slice(start, start + batch_size)
                chosen = () if labels is None else (labels[rows].to(self.device),)
                batch = anchors[rows].to(self.device, self.dtype)
                parts += self.whole(batch, self._drawn(seeds[rows]), *chosen)
        outliers = torch.cat(parts)
        if not outliers.isfinite().all():
            raise PenumbraError(
                "guided sampling left the finite numbers; take a smaller scale (now "
                f"{self.guidance.scale}), or normalise: inf"
            )
        return outliers

    def draws(self, seeds: Sequence[int]) -> Draws:
        """The normals of the samples with these seeds."""
        return self._split(self._drawn(seeds))

    def _drawn(self, seeds: Sequence[int]) -> Tensor:
        """All normals (N, 1 + those of the steps, R) of the samples, on the device."""
        count = 1 + len(self.steps) * sum(self._shares())
        drawn = noise(seeds, count, self.denoiser.input_proj.in_features)
        if self.device.type == "cuda":
            drawn = drawn.pin_memory()  # so that the next batch is drawn while this one computes
        return drawn.to(self.device, self.dtype, non_blocking=True)

    def _split(self, drawn: Tensor) -> Draws:
        again, fresh, push = self._shares()
        steps, width = len(self.steps), drawn.shape[2]
        each = drawn[:, 1:].reshape(len(drawn), steps, again + fresh + push, width)
        each = each.permute(1, 2, 0, 3)
        return Draws(
            start=drawn[:, 0],
            again=each[:, :again],
            fresh=each[:, again] if fresh else None,
            push=each[:, -1] if push else None,
        )

    def _whole(self, anchors: Tensor, drawn: Tensor, labels: Tensor | None = None) -> tuple[Tensor]:
        return (self.denoise(anchors, self._split(drawn), labels),)

    @torch.no_grad()
    def denoise(self, anchors: Tensor, draws: Draws, labels: Tensor | None = None) -> Tensor:
        """Outliers (N, R) of anchors (N, R) and explicit draws."""
        z = self.schedule.noised(anchors, self.steps[0].t, draws.start)
        if self.guidance.mode == "oneshot":
            return self.oneshot(z, draws, labels)
        for state, _ in self.states(z, draws, labels):
            z = state
        return z

    @torch.no_grad()
    def states(
        self, z: Tensor, draws: Draws, labels: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """From the state z (N, R) at the first index down: after each step, state and estimate."""
        g = self.guidance
        estimate = self.estimate(labels)
        for j, step in enumerate(self.steps):
            x0, direction = self._look(estimate, z, draws, j)
            eps = step.implied_noise(z, x0)
            if direction is not None and g.update == "score":
                eps = eps - math.sqrt(1 - step.alpha) * g.scale * direction
                x0 = step.implied_x0(z, eps)
            z = step.descend(x0, eps)
            if draws.fresh is not None:
                z = z + step.sigma * draws.fresh[j]
            if direction is not None and g.update != "score":
                z = z + g.scale * (step.variance if g.update == "var" else 1) * direction
            yield z, x0

    @torch.no_grad()
    def oneshot(self, z: Tensor, draws: Draws, labels: Tensor | None = None) -> Tensor:
        """The estimate (N, R) after one move of the state z (N, R)."""
        estimate = self.estimate(labels)
        _, direction = self._look(estimate, z, draws, 0)
        if direction is not None:
            z = z + self.guidance.scale * direction
        return estimate(z, self.steps[0].t)

    @torch.no_grad()
    def estimate(self, labels: Tensor | None = None) -> Estimate:
        """D(z, t) for a batch with these labels, at the indices that the recipe visits."""
        context = self.rdm.context(labels)
        if context is None:
            return lambda z, t: self.denoiser.estimate(z, self.time_terms[t])
        shared = self.denoiser.context_terms(context.to(self.denoiser.input_proj.weight.dtype))
        return lambda z, t: self.denoiser.estimate(z, summed(self.time_terms[t], shared))

    def _look(
        self, estimate: Estimate, z: Tensor, draws: Draws, j: int
    ) -> tuple[Tensor, Tensor | None]:
        """The estimate at z in step j, and the direction of the move if the step makes one."""
        g, t = self.guidance, self.steps[j].t
        index = len(self.steps) - 1 - j
        if g.direction == "none" or index % g.every:
            return estimate(z, t), None
        gradient = None
        if g.needs_gradient:
            assert draws.again is not None
            x0, _, gradient = minority(estimate, self.schedule, g, z, t, draws.again[j])
        else:
            x0 = estimate(z, t)
        return x0, g.towards(gradient, None if draws.push is None else draws.push[j])

    def _shares(self) -> tuple[int, int, int]:
        """Normals (R,) of a sample and step: for the second estimates, DDIM, and the direction."""
        g = self.guidance
        fresh = g.eta > 0 and g.mode == "trajectory"
        return g.samples * g.needs_gradient, int(fresh), int(g.direction == "gaussian")

    def _steps(self) -> list[Step]:
        """The steps that are made, descending; a single one in mode oneshot."""
        g, total = self.guidance, len(self.schedule)
        for key in ("start", "perturb"):
            if getattr(g, key) >= total:
                raise PenumbraError(
                    f"guidance: {key} is {getattr(g, key)}, beyond the RDM's schedule; its indices "
                    f"are 0 to {total - 1}"
                )
        if g.mode == "oneshot":
            return [Step(g.start, self.schedule.at("alphas_cumprod", g.start), 1.0, 0.0)]
        grid = self.schedule.grid(g.grid, g.eta)
        first = min(range(len(grid)), key=lambda i: abs(grid[i].t - g.start))
        return grid[first::-1]

    @torch.no_grad()
    def _time_terms(self) -> dict[int, list[Tensor]]:
        """Every block's term at every index that the recipe visits, computed once."""
        indices = sorted({step.t for step in self.steps} | {self.guidance.perturb})
        terms = self.denoiser.time_terms(torch.tensor(indices, device=self.device))
        return {t: [term[i : i + 1] for term in terms] for i, t in enumerate(indices)}

    def _check(self, anchors: Tensor, seeds: Sequence[int], labels: Tensor | None) -> None:
        width = self.denoiser.input_proj.in_features
        if anchors.ndim != 2 or anchors.shape[1] != width or not len(anchors):
            raise PenumbraError(
                f"the RDM takes anchors (N, {width}), N ≥ 1, got {tuple(anchors.shape)}; were they "
                "made by another encoder?"
            )
        for name, given in (("seeds", seeds), ("labels", labels)):
            if given is not None and len(given) != len(anchors):
                raise PenumbraError(f"{len(anchors)} anchors have {len(given)} {name}")
        self.rdm.check_labels(labels)
