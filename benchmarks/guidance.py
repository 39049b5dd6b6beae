"""Minority guidance at the published RDM's size: its rate against the device's own in matmuls.

Both rates are taken in one process with one thread count, in turns. Weights are random: the speed
does not depend on what they know.
"""

import statistics

import torch

from benchmarks.training import seconds
from penumbra.networks.generative.denoiser import Denoiser
from penumbra.networks.generative.rdm import Rdm
from penumbra.outliers.guidance import Guidance
from penumbra.outliers.trajectory import Sampler, noise

BATCHES = (64, 512, 2048)
STEPS = 76  # from index 301 down the grid of 250
TARGET = 0.5  # of the matmul rate, at the largest batch


def published(device: torch.device, **sizes: int) -> Rdm:
    """An unconditional RDM whose layers are all in use: those that begin at zero are not, now."""
    torch.manual_seed(0)
    rdm = Rdm(**sizes)
    for parameter in rdm.network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    for name, parameter in rdm.model.named_parameters():
        rdm.model_ema.average(name).copy_(parameter.detach())
    return rdm.to(device)


def forward_flop(denoiser: Denoiser) -> int:
    """FLOP of one forward of one state, 2 a multiply-add, without the time path, which is cached.

    A pass back to the input takes as many.
    """
    cached = ("time_embed", "emb_layers")
    return sum(
        2 * parameter.numel()
        for name, parameter in denoiser.named_parameters()
        if parameter.ndim == 2 and not any(part in name for part in cached)
    )


def matmul_rate(denoiser: Denoiser, batch: int) -> float:
    """FLOP/s of the network's largest layer alone."""
    weight = denoiser.blocks[0].linear.weight
    x = torch.randn(batch, weight.shape[1], device=weight.device, dtype=weight.dtype)
    out = torch.empty(batch, weight.shape[0], device=weight.device, dtype=weight.dtype)
    times = [seconds(lambda: torch.mm(x, weight.t(), out=out), weight.device) for _ in range(6)]
    return 2 * batch * weight.numel() / statistics.median(times)


def guided(sampler: Sampler, batch: int, steps: int) -> float:
    """Seconds of guided steps of one batch, its anchors and draws ready."""
    width = sampler.denoiser.input_proj.in_features
    z = torch.randn(batch, width, device=sampler.device)
    draws = sampler.draws(range(batch))

    def run() -> None:
        for _ in zip(range(steps), sampler.states(z, draws), strict=False):
            pass

    return seconds(run, sampler.device)


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, value, target."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    dtype = torch.bfloat16 if gpu else torch.float32
    sampler = Sampler(published(device), Guidance(0.05), dtype)
    work = 3 * forward_flop(sampler.denoiser)  # a state's step: two forwards, one pass back
    what = f"RDM 12 × 1,536, {str(dtype).removeprefix('torch.')}"
    rows = []
    for batch in BATCHES:
        steps = STEPS if gpu else max(1, 1024 // batch)
        guided(sampler, batch, 1)  # warms up
        ratios, times = [], []
        for _ in range(3):
            rate = matmul_rate(sampler.denoiser, batch)
            took = guided(sampler, batch, steps) / steps
            times.append(took)
            ratios.append(batch * work / took / rate)
        speed = batch / statistics.median(times) / STEPS
        last = batch == BATCHES[-1]
        target = f"≥ {TARGET}" if last else "reported"
        rows.append((f"guided embeddings/s, batch {batch} ({what})", speed, "reported"))
        rows.append(
            (f"guidance over matmul, FLOP/s, batch {batch}", statistics.median(ratios), target)
        )
    count, batch = 1 + STEPS, BATCHES[-1]
    drawing = seconds(
        lambda: noise(range(batch), count, sampler.denoiser.input_proj.in_features), device
    )
    rows.append(
        (
            f"draws of {batch} embeddings over their sampling, time",
            drawing / (batch / speed),
            "≤ 0.02",
        )
    )
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    for what, value, target in measure():
        print(f"{what}: {value:.3f} ({target})")
