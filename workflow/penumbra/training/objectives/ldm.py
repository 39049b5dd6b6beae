"""Training of the LDM on latents and representations that lie on the device (RCG)."""

import torch
from torch import Tensor

from penumbra.networks.generative.diffusion import Schedule
from penumbra.networks.generative.ldm import RAW, Unet, averaged_name
from penumbra.networks.loading.states import State
from penumbra.training.objectives.denoising import DenoisingObjective
from penumbra.training.objectives.latents import SCALE, Latents


class LdmObjective(DenoisingObjective):
    """The noise in latents, given their images' representations (N, R) as the one context token.

    The tensors `first_stage` go into the checkpoint.
    """

    def __init__(
        self, network: Unet, latents: Latents, representations: Tensor, first_stage: State
    ):
        super().__init__(network, Schedule.scaled_linear().betas, representations.device)
        self.latents, self.representations = latents, representations
        self.first_stage = first_stage

    def __len__(self) -> int:
        return len(self.representations)

    def clean(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The latents, of unit size."""
        return self.latents.drawn(rows, generator)

    def predict(self, z: Tensor, t: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The noise in z."""
        return self.network(z, t, self.representations[rows][:, None])

    def artifacts(self) -> dict[str, Tensor]:
        """Raw and averaged weights, latents' factor and first stage, under the published names."""
        raw = {f"{RAW}{name}": tensor for name, tensor in self.network.state_dict().items()}
        averages = {averaged_name(name): tensor for name, tensor in self.averages().items()}
        factor = {SCALE: torch.tensor(self.latents.scale)}
        return {**raw, **averages, **factor, **self.first_stage}
