"""Images of a GAN at the border of the classes: the joint confidence loss (Lee et al. 2018).

The generator makes images that the discriminator takes for real ones and of which the classifier is
unsure; the classifier learns to be so. In every step the discriminator moves, then the generator,
then the classifier, as in Algorithm 1.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.generative.dcgan import Discriminator, Generator
from penumbra.networks.loading.states import under
from penumbra.options.methods.gan import Options
from penumbra.seeds import derive
from penumbra.training.adamw import AdamW
from penumbra.training.attack import frozen
from penumbra.training.exposure import to_uniform
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.schedule import passed
from penumbra.training.unlabelled import laid_like

BETAS = 0.5, 0.999  # of Adam
FALL = 0.1  # of its learning rate, at each milestone


class JointConfidence(Method):
    """CE of ID + beta · CE of generated images to the uniform distribution.

    Lee et al.'s KL divergence is this less log K, which no gradient sees. As many images are made
    as the batch has; the classifier sees both in one pass, so that both are in the statistics of
    its batch norm, which the authors' networks have not. While the generator learns, the
    classifier stands still, and its batch norm goes by its running statistics.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = o = Options.of(options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "gan"))
            self.generator = Generator(o.latent, o.width, o.size, setting.shape[1])
            self.discriminator = Discriminator(o.width, o.size)
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.networks = nn.ModuleDict(networks).to(setting.device)
        self.optimisers = {k: AdamW(n.parameters(), 0.0, BETAS) for k, n in networks.items()}
        self.total = torch.zeros(3, device=setting.device)  # both losses, and steps

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """x followed by as many generated images, after a step of both other networks."""
        o, s = self.options, self.setting
        rate = o.lr * FALL ** passed(o.milestones, batch.epoch, s.epochs)
        generator = torch.Generator(s.device).manual_seed(derive(s.seed, "latents", batch.step))
        size = (2, len(x), o.latent)
        first, second = torch.randn(size, generator=generator, device=s.device)
        for optimiser in self.optimisers.values():
            optimiser.rate = rate
        # A context keeps the weights that it lowers, so that none spans a step of the optimisers.
        with s.autocast():
            made = self.generator(first)
        told = self._discriminate(self.discriminator.seen(x * s.std + s.mean), made)
        confused = self._generate(made)
        with torch.no_grad(), s.autocast():
            shown = self._shown(self.generator(second), x)
        self.total += torch.stack([told, confused, torch.ones_like(told)])
        return laid_like(torch.cat([x, shown]), x), None

    def _discriminate(self, real: Tensor, made: Tensor) -> Tensor:
        """One step of the discriminator; its loss ()."""
        with self.setting.autocast():
            logits = self.discriminator(real), self.discriminator(made.detach())
        loss = _taken_for(logits[0], 1) + _taken_for(logits[1], 0)
        self._step("discriminator", loss)
        return loss.detach()

    def _generate(self, made: Tensor) -> Tensor:
        """One step of the generator; its loss ()."""
        model = self.setting.model
        with frozen(model), self.setting.autocast():
            unsure = to_uniform(model(self._shown(made, made)))
            logits = self.discriminator(made)
        loss = _taken_for(logits, 1) + self.options.beta * unsure
        self._step("generator", loss)
        return loss.detach()

    def _step(self, name: str, loss: Tensor) -> None:
        optimiser = self.optimisers[name]
        gradients = torch.autograd.grad(loss, optimiser.parameters)
        for parameter, gradient in zip(optimiser.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        optimiser.zero_grad()

    def _shown(self, made: Tensor, like: Tensor) -> Tensor:
        """Generated images as the classifier gets images, laid out like others."""
        s = self.setting
        return laid_like((self.generator.enlarged(made) - s.mean) / s.std, like)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss () of logits (2n, K), y (n,)."""
        exposed = to_uniform(outputs[len(y) :])
        return F.cross_entropy(outputs[: len(y)], y) + self.options.beta * exposed

    def record(self) -> dict[str, float]:
        """The epoch's mean losses of discriminator and generator."""
        told, confused, steps = self.total.tolist()
        self.total.zero_()
        return {"discriminator": told / steps, "generator": confused / steps}

    def state(self) -> dict[str, Tensor]:
        """Both networks and their optimisers; latents follow from the step."""
        state = {f"networks.{k}": t for k, t in self.networks.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            state |= {f"{name}.{k}": t for k, t in optimiser.state().items()}
        return state | {"total": self.total}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self.networks.load_state_dict(under(state, "networks."))
        for name, optimiser in self.optimisers.items():
            optimiser.restore(dict(under(state, f"{name}.")))
        self.total.copy_(state["total"])


def _taken_for(logits: Tensor, real: float) -> Tensor:
    """Mean cross-entropy () of the discriminator's logits (n,) to one answer, 1 for "real"."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """The joint confidence loss with the options of the recipe's `gan` key."""
    return JointConfidence(options, setting)
