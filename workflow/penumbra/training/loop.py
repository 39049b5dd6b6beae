"""The one training loop of classifiers; a method adds what differs."""

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.images.feeding import Feeding, Served
from penumbra.networks.base import Classifier
from penumbra.networks.graphs import Graphed
from penumbra.networks.loading.states import under
from penumbra.training.epochs import Loop
from penumbra.training.method import Batch, Method, Perturb
from penumbra.training.progress import Extent, Progress
from penumbra.training.resume import Record
from penumbra.training.schedule import learning_rate
from penumbra.training.sgd import Sgd


class Features(nn.Module):
    """The model as far as its penultimate features."""

    def __init__(self, model: Classifier):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, perturb: Perturb = None) -> Tensor:
        """Features (n, D) of inputs (n, C, H, W)."""
        return self.model.features(x, perturb)


class Trainer(Loop[Served]):
    """Trains one classifier by one recipe on the images that a feeder serves."""

    def __init__(
        self,
        model: Classifier,
        feeder: Feeding,
        method: Method,
        recipe: dict[str, Any],
        seed: int,
        compile_model: bool = False,
    ):
        # A last batch of one image is left out: batch norm has no variance of it.
        full, rest = divmod(len(feeder), recipe["batch_size"])
        batches = full + (rest > 1 or not full)
        extent = Extent(len(feeder), recipe["batch_size"], batches, recipe["epochs"])
        method.check(batches, recipe["epochs"])
        super().__init__(model, extent, seed, feeder.device)
        self.model, self.feeder, self.method, self.recipe = model, feeder, method, recipe
        self.rate: float = recipe["lr"]
        static = torch.zeros((), device=feeder.device) if method.setting.graphs else None
        self.optimiser = Sgd(nn.ModuleList([model, *method.modules()]), recipe, static)
        # Each size of a batch has kernels of its own, so that the last, smaller one slows no other.
        network = model if method.reads == "logits" else Features(model)
        self.forward = torch.compile(network, dynamic=False) if compile_model else network
        self.updates: dict[str | None, Graphed] = {}  # by the step that a map is added to

    def batches(self, progress: Progress) -> Generator[Served]:
        """Newly augmented images with their labels."""
        yield from self.feeder.served(progress.requests(self.feeder.ahead))

    def close(self) -> None:
        """The feeders serve no more."""
        self.feeder.close()
        if self.method.setting.outliers is not None:
            self.method.setting.outliers.close()

    def advance(self, given: Served, progress: Progress) -> Tensor:
        """One optimiser step on a batch; the loss ()."""
        epoch, index = progress.epoch, progress.done
        batch = Batch(epoch, index, epoch * self.extent.batches + index)
        self.rate = self._rate(batch)
        self.optimiser.set_rate(self.rate)
        loss, right = self.step(*given, batch)
        progress.correct += right
        return loss

    def step(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """One optimiser step; loss and number of right predictions, both still on the device."""
        inputs, perturb = self.method.inputs(x, y, batch)
        where, *map_ = perturb or (None,)
        if where not in self.updates:
            work = partial(self._update, where)
            self.updates[where] = Graphed(work, self.method.setting.graphs)
        loss, right = self.updates[where](inputs, y, *map_)
        self.method.after(x, y, batch)
        return loss, right

    def _update(
        self, where: str | None, inputs: Tensor, y: Tensor, map_: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        with self.method.setting.autocast():
            perturb = None if where is None or map_ is None else (where, map_)
            outputs = self.forward(inputs, perturb)
            loss = self.method.loss(outputs, y)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        with torch.no_grad(), self.method.setting.autocast():
            return loss.detach(), self.method.right(outputs, y)

    def record(self, progress: Progress, loss: float) -> Record:
        """Loss and right predictions of the augmented batches, with what the method adds."""
        images = min(self.extent.batches * self.extent.batch_size, self.extent.samples)
        return {
            "epoch": progress.epoch,
            "lr": self.rate,
            "loss": loss,
            self.method.counted: progress.correct.item() / (images * self.method.predictions),
            **self.method.record(),
        }

    def line(self, record: Record) -> str:
        """Loss and right predictions of an epoch."""
        counted = self.method.counted
        told = f"train {counted.replace('_', ' ')} {100 * record[counted]:.2f} %"
        return f"{super().line(record)}  {told}"

    def state(self) -> dict[str, Tensor]:
        """Model, method and momentum."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"method.{k}": v for k, v in self.method.state().items()}
        return tensors | {f"momentum.{k}": v for k, v in self.optimiser.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.model.load_state_dict(under(state, "model."))
        self.method.restore(under(state, "method."))
        self.optimiser.restore(under(state, "momentum."))

    def diverged(self, loss: float, epoch: int, step: int) -> str:
        """What to say when a loss is not finite."""
        return (
            f"loss is {loss} in epoch {epoch + 1}, step {step + 1} of {self.extent.batches}, "
            f"recipe {self.recipe['name']}; try a smaller lr (now {self.recipe['lr']}), "
            "precision float32, for UAT a smaller alpha, or for energy a smaller beta"
        )

    def _rate(self, batch: Batch) -> float:
        recipe, extent = self.recipe, self.extent
        return learning_rate(
            recipe["schedule"],
            recipe["lr"],
            batch.epoch,
            extent.epochs,
            batch.index,
            extent.batches,
        )
