"""Training the RDM on representations (Li et al. 2024): squared error of the estimate of x0."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.rdm import Rdm

TOLERANCE = 1e-2  # of a standardised representation's mean and deviation, for 16-bit inputs' sake


class RdmObjective:
    """Uniform time indices, unit normal noise, and after each step a move of the EMA weights.

    `representations` (N, R) are standardised each; `labels` (N,) are a conditional RDM's classes.

    Raises:
        PenumbraError: representations or labels do not fit the RDM.
    """

    def __init__(self, rdm: Rdm, representations: Tensor, labels: Tensor | None = None):
        self.rdm = rdm
        self.module: nn.Module = rdm
        device = rdm.betas.device
        self.representations = representations.to(device, torch.float32)
        self.labels = None if labels is None else labels.to(device)
        self._check()

    def __len__(self) -> int:
        return len(self.representations)

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error () over rows (n,) and dimensions."""
        x0 = self.representations[rows]
        total, device = len(self.rdm.betas), x0.device
        t = torch.randint(total, (len(rows),), generator=generator, device=device)
        eps = torch.randn(x0.shape, generator=generator, device=device)
        labels = None if self.labels is None else self.labels[rows]
        estimate = self.rdm(self.rdm.noised(x0, t, eps), t, labels)
        return F.mse_loss(estimate.float(), x0)

    def after(self) -> None:
        """Move the EMA weights."""
        self.rdm.model_ema.update(self.rdm.model)

    def artifacts(self) -> dict[str, Tensor]:
        """The state dict, raw and EMA weights, under the published names."""
        return {name: tensor.detach() for name, tensor in self.rdm.state_dict().items()}

    def _check(self) -> None:
        z, width = self.representations, self.rdm.network.input_proj.in_features
        if z.ndim != 2 or z.shape[1] != width:
            raise PenumbraError(
                f"the RDM takes representations (N, {width}), got {tuple(z.shape)}; were they made "
                "by another encoder?"
            )
        off = (z.mean(1).abs() > TOLERANCE) | ((z.std(1) - 1).abs() > TOLERANCE)
        if off.any():
            raise PenumbraError(
                f"{int(off.sum())} of {len(z)} representations are not standardised to mean 0 and "
                "deviation 1 each, as the RDM needs them"
            )
        if self.labels is not None and len(self.labels) != len(z):
            raise PenumbraError(f"{len(z)} representations have {len(self.labels)} labels")
        self.rdm.check_labels(self.labels)
