"""CATEX (Liu et al. 2023): a frozen CLIP learns two prompts of each class.

The perceptual prompt says what is of the class, the spurious one what is mistaken for it. Outliers
for the second are drawn at the boundary of a class's image embeddings, on the side of a disturbed
perceptual prompt. Weights, masks and sizes are those of the authors' code.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from penumbra.errors import PenumbraError
from penumbra.networks.backbones.clip import Clip
from penumbra.networks.layers.prompts import DEVIATION, Prompts
from penumbra.networks.loading.clip_files import pretrained, prompts
from penumbra.options.methods.catex import Options
from penumbra.outliers.boundary import Draw, Queues, outliers
from penumbra.seeds import derive
from penumbra.training.method import Batch, Method, Perturb, Setting

MASKED = -10.0  # the logit of what may be neither right nor wrong
PERCEPTUAL, SPURIOUS = 0, 1


class Catex(Method):
    """Learns contexts (2, C, n, W); CLIP, whose image encoder is the model's trunk, stays as it is.

    With t_c and s_c the embeddings of class c's two prompts, and cosines times CLIP's logit scale
    as logits, the loss of ID images of class y is

        a CE([t_1 … t_C, s_1 … s_C], y), s_y masked,  + m CE([t_y, s_y], first)

    and that of outliers drawn around class k

        b CE([s_1 … s_C, t_1 … t_C], k), t_k masked,  + m CE([s_k, t_k], first)

    with a, b and m the three weights of the options.
    """

    reads = "features"

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = o = Options.of(options)
        model, texts = setting.model, prompts(setting.classes, o.prompt, "prompt")
        if not isinstance(model, Clip):
            raise PenumbraError("method catex learns prompts of CLIP; give it the network clip")
        clip, tokenizer = pretrained(Path(setting.folder), CLIPModel, CLIPTokenizer)
        model.take_up(clip.to(setting.device))
        model.requires_grad_(False)
        self.scale = clip.logit_scale.detach().float().exp()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "contexts"))
            self.prompts = Prompts(clip, tokenizer, texts, 2, o.contexts)
        classes, width = model.get_parameter("fc.weight").shape
        self.queues = Queues(classes, o.queue, width, setting.device)
        self.draw = Draw(o.neighbour, o.boundary, o.candidates, o.deviation)
        self.outliers = torch.zeros(classes, width, device=setting.device)
        self.there = torch.zeros(classes, device=setting.device)
        self.drawn = torch.zeros(2, device=setting.device)  # outliers, and classes times steps
        self.seen: dict[int, Tensor] = {}  # the latest features, by size of the batch
        self.text = torch.zeros(classes, width, device=setting.device)

    def modules(self) -> list[nn.Module]:
        """The contexts."""
        return [self.prompts]

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """The clean batch, under a CLIP that drops nothing out."""
        self.setting.model.eval()
        return x, None

    def loss(self, features: Tensor, y: Tensor) -> Tensor:
        """The four terms of the class's docstring; features (n, D) are unit-norm embeddings."""
        o = self.options
        text = self.prompts.embed(self.prompts.contexts)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            self.seen.setdefault(len(y), torch.empty_like(features)).copy_(features)
            self.text.copy_(text[PERCEPTUAL].detach())
            own, spurious = self.scale * features @ text.mT
            images = o.id_weight * _all(own, spurious, y) + o.margin_weight * _two(own, spurious, y)
            own, spurious = self.scale * self.outliers @ text.mT
            k = torch.arange(len(own), device=own.device)
            drawn = o.outlier_weight * _all(spurious, own, k)
            drawn = drawn + o.margin_weight * _two(spurious, own, k)
            return images.mean() + (drawn * self.there).sum() / self.there.sum().clamp(min=1)

    def right(self, features: Tensor, y: Tensor) -> Tensor:
        """By the nearest perceptual prompt, as the finished model has it."""
        return ((features.float() @ self.text.T).argmax(1) == y).sum()

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Queue the batch's embeddings; draw the next step's outliers, if queues are full."""
        self.queues.add(self.seen[len(y)], y)
        if batch.epoch < self.options.start:
            return
        generator = torch.Generator(self.setting.device)
        generator.manual_seed(derive(self.setting.seed, "outliers", batch.step))
        towards = self._guidance(generator)
        points, there = outliers(self.queues.rows, towards, self.draw, generator)
        self.outliers.copy_(points)
        there = there * self.queues.are_full
        self.there.copy_(there)
        self.drawn += torch.stack([there.sum(), torch.full_like(there.sum(), len(there))])

    @torch.no_grad()
    def _guidance(self, generator: torch.Generator) -> Tensor:
        """(C, D): disturbed less undisturbed perceptual prompts.

        An outlier is to be nearer to the first than to the second. How the disturbed prompt
        restricts outliers is this project's reading.
        """
        contexts = self.prompts.contexts[PERCEPTUAL]
        both = torch.stack([disturbed(contexts, generator), contexts])
        text = self.prompts.embed(both)
        return text[0] - text[1]

    @torch.no_grad()
    def record(self) -> dict[str, float]:
        """The share of classes that had an outlier; the prompts become the model's last layer."""
        text = self.prompts.embed(self.prompts.contexts)
        self.setting.model.get_parameter("fc.weight").copy_(text[PERCEPTUAL])
        drawn, possible = self.drawn.tolist()
        self.drawn.zero_()
        return {"outliers": drawn / max(possible, 1)}

    def state(self) -> dict[str, Tensor]:
        """Contexts, queues, and the next step's outliers."""
        return {
            "contexts": self.prompts.contexts.detach(),
            "places": self.queues.places,
            "counts": self.queues.counts,
            "outliers": self.outliers,
            "there": self.there,
            "drawn": self.drawn,
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    @torch.no_grad()
    def artifacts(self) -> dict[str, Tensor]:
        """Embeddings of both prompts, which the scorer catex reads, and the contexts."""
        text, spurious = self.prompts.embed(self.prompts.contexts)
        learned = {"text": text, "ood_text": spurious, "contexts": self.prompts.contexts.detach()}
        return {f"learned.{name}": tensor for name, tensor in learned.items()}


def _all(right: Tensor, wrong: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy (n,) of y over all 2C prompts, its own among the wrong ones masked."""
    wrong = wrong.scatter(1, y[:, None], MASKED)
    return F.cross_entropy(torch.cat([right, wrong], 1), y, reduction="none")


def _two(right: Tensor, wrong: Tensor, y: Tensor) -> Tensor:
    """The soft margin (n,): cross-entropy over the two prompts of class y."""
    pair = torch.stack([right, wrong], 2)[torch.arange(len(y), device=y.device), y]
    return F.cross_entropy(pair, torch.zeros_like(y), reduction="none")


def disturbed(contexts: Tensor, generator: torch.Generator) -> Tensor:
    """Contexts (C, n, W), one vector of each negated, zeroed, noised or swapped with another.

    Which is drawn class by class, as are the vector and the other one, which may be itself.
    """
    classes, count, _ = contexts.shape
    device = contexts.device

    def drawn(below: int) -> Tensor:
        return torch.randint(below, (classes,), generator=generator, device=device)

    kind, place, other = drawn(4), drawn(count), drawn(count)
    noise = torch.randn(contexts[:, 0].shape, generator=generator, device=device) * DEVIATION
    rows = torch.arange(classes, device=device)
    old, swapped = contexts[rows, place], contexts[rows, other]
    choices = torch.stack([-old, torch.zeros_like(old), old + noise, swapped])
    new = contexts.clone()
    new[rows, other] = torch.where((kind == 3)[:, None], old, swapped)
    new[rows, place] = choices[kind, rows]
    return new


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """CATEX with the options of the recipe's `catex` key."""
    return Catex(options, setting)
