"""The representation diffusion model of RCG (Li et al. 2024), by its published key names.

It estimates the clean representation x0 itself, not the noise. Sampling uses the exponential moving
average (EMA) of the weights, which a checkpoint keeps beside the raw ones.
"""

from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.averaging import MovingAverage
from penumbra.networks.generative.denoiser import Denoiser
from penumbra.networks.generative.diffusion import Schedule
from penumbra.networks.loading.states import State, adopt, depth, shape, under
from penumbra.options.parts.rdm import Options

NETWORK, EMA, ENCODER = "model.diffusion_model.", "model_ema.", "pretrained_encoder."
TABLE = "cond_stage_model.embedding.weight"


class ClassTable(nn.Module):
    """One embedding a class; an unconditional RDM has one, which nothing reads."""

    def __init__(self, classes: int, context: int):
        super().__init__()
        self.embedding = nn.Embedding(classes, context)


class Rdm(nn.Module):
    """All of a checkpoint: the schedule, the raw weights and their EMA, the classes, the encoder.

    Published: the defaults, or conditional. An `encoder` is kept for the checkpoint alone, frozen
    and in eval mode; representations come in ready and standardised.
    """

    betas: Tensor
    sqrt_alphas_cumprod: Tensor
    sqrt_one_minus_alphas_cumprod: Tensor

    def __init__(
        self,
        representation: int = 256,
        width: int = Options.width,
        time: int = Options.time,
        blocks: int = Options.blocks,
        bottleneck: int = Options.bottleneck,
        context: int = Options.context,
        classes: int = 1000,
        conditional: bool = Options.conditional,
        encoder: nn.Module | None = None,
    ):
        super().__init__()
        self.conditional = conditional
        self.sizes = (
            representation, width, time, blocks, bottleneck, context if conditional else None
        )  # fmt: skip
        for name, table in _buffers(Schedule.scaled_linear()).items():
            self.register_buffer(name, table)
        self.model = nn.ModuleDict({"diffusion_model": Denoiser(*self.sizes)})
        self.model_ema = MovingAverage(self.model)
        self.cond_stage_model = ClassTable(classes if conditional else 1, context)
        self.pretrained_encoder = encoder
        if encoder is not None:
            encoder.requires_grad_(False).eval()

    @classmethod
    def from_state(cls, state: State, encoder: nn.Module | None = None) -> "Rdm":
        """The RDM of a state dict under the published names; all sizes follow from its shapes.

        The encoder's tensors are left out unless an `encoder` is there to take them. The schedule,
        and an unconditional RDM's class, may be missing.

        Raises:
            PenumbraError: there are no EMA weights, or other tensors are missing or do not fit.
        """
        sizes, conditional = _sizes(state)
        if not under(state, EMA):
            raise PenumbraError(
                f"RDM: no EMA weights ({EMA}*), which sampling needs; the raw weights are no "
                "substitute: take the file as published, or train the RDM here"
            )
        rdm = cls(**sizes, conditional=conditional, encoder=encoder)
        tensors = {
            key: value
            for key, value in state.items()
            if encoder is not None or not key.startswith(ENCODER)
        }
        betas = state.get("betas")
        schedule = Schedule.scaled_linear() if betas is None else Schedule(betas.cpu().double())
        defaults = _buffers(schedule)
        if not conditional:
            defaults[TABLE] = torch.zeros(1, sizes["context"])
        adopt(rdm, defaults | tensors, "RDM")
        return rdm

    @property
    def network(self) -> Denoiser:
        """The denoiser with the raw weights, which training moves."""
        return self.model["diffusion_model"]  # type: ignore[return-value]

    @property
    def schedule(self) -> Schedule:
        """The schedule of this checkpoint's betas."""
        return Schedule(self.betas.cpu().double())

    def ema_denoiser(self) -> Denoiser:
        """The frozen denoiser with the EMA weights, whose memory it shares."""
        with torch.device("meta"):
            network = Denoiser(*self.sizes)
        averages = {
            name: self.model_ema.average(f"diffusion_model.{name}")
            for name, _ in network.named_parameters()
        }
        network.load_state_dict(averages, assign=True)
        return network.requires_grad_(False).eval()

    def context(self, labels: Tensor | None) -> Tensor | None:
        """Class embeddings (N, C) of labels (N,), or None where the RDM is unconditional."""
        return self.cond_stage_model.embedding(labels) if self.conditional else None

    def check_labels(self, labels: Tensor | None) -> None:
        """Refuse labels that a conditional RDM has no embedding for, or their absence."""
        if not self.conditional:
            return
        classes = len(self.cond_stage_model.embedding.weight)
        if labels is None:
            raise PenumbraError(
                f"this RDM is conditional on {classes} classes and got no labels; give each anchor "
                "its class, or take the unconditional RDM"
            )
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise PenumbraError(
                f"the RDM knows the classes 0 to {classes - 1}, the labels reach from {low} to "
                f"{high}; map them to the classes that it was trained on"
            )

    def forward(self, z: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        """x0 (N, R) by the raw weights of states z (N, R) at indices t (N,)."""
        return self.network(z, t, self.context(labels))

    def noised(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """States (N, R) at indices t (N,) of x0 (N, R) with the unit normal eps (N, R)."""
        signal, noise = self.sqrt_alphas_cumprod[t], self.sqrt_one_minus_alphas_cumprod[t]
        return signal[:, None] * x0 + noise[:, None] * eps

    def train(self, mode: bool = True) -> "Rdm":
        """Training mode for all but the encoder."""
        super().train(mode)
        if self.pretrained_encoder is not None:
            self.pretrained_encoder.eval()
        return self


def _buffers(schedule: Schedule) -> dict[str, Tensor]:
    return {name: table.float() for name, table in schedule.tables.items()}


def _sizes(state: State) -> tuple[dict[str, Any], bool]:
    """The constructor's sizes from the shapes of a state dict, and whether it is conditional."""
    block = f"{NETWORK}res_blocks.0"
    time, width = shape(state, f"{NETWORK}time_embed.0.weight", "RDM")
    conditional = f"{block}.context_layers.1.weight" in state
    classes, context = tuple(state[TABLE].shape) if TABLE in state else (1, 512)
    sizes = {
        "representation": shape(state, f"{NETWORK}input_proj.weight", "RDM")[1],
        "width": width,
        "time": time,
        "blocks": depth(state, f"{NETWORK}res_blocks."),
        "bottleneck": shape(state, f"{block}.in_layers.2.weight", "RDM")[0],
        "context": context,
        "classes": classes,
    }
    return sizes, conditional
