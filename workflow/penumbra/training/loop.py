"""The one training loop; a method adds what differs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.networks.base import Classifier
from penumbra.seeds import derive
from penumbra.training.method import Batch, Method
from penumbra.training.resume import Record, Resume
from penumbra.training.schedule import learning_rate
from penumbra.training.sgd import Sgd


class Trainer:
    """Trains one classifier by one recipe on images that lie on the device."""

    def __init__(
        self,
        model: Classifier,
        feeder: Feeder,
        method: Method,
        recipe: dict[str, Any],
        seed: int,
        compile_model: bool = False,
    ):
        self.model, self.feeder, self.method, self.recipe = model, feeder, method, recipe
        self.seed = seed
        self.optimiser = Sgd(nn.ModuleList([model, *method.modules()]), recipe)
        self.forward = torch.compile(model) if compile_model else model
        # A last batch of one image is left out: batch norm has no variance of it.
        full, rest = divmod(len(feeder), recipe["batch_size"])
        self.batches = full + (rest > 1 or not full)
        self.lowered = recipe["precision"] == "bfloat16"

    def run(self, resume: Resume | None, report: Callable[[str], None]) -> list[Record]:
        """Train all epochs, or those that a saved state leaves; one record an epoch.

        Raises:
            PenumbraError: the loss is not finite; nothing of that epoch is saved.
        """
        history = resume.load(self.model, self.optimiser, self.method) if resume else []
        if history:
            report(f"resuming after epoch {len(history)} of {self.recipe['epochs']}")
        for epoch in range(len(history), self.recipe["epochs"]):
            history.append(self.epoch(epoch))
            if resume:
                resume.save(self.model, self.optimiser, self.method, history)
            last = history[-1]
            report(
                f"epoch {epoch + 1}/{self.recipe['epochs']}  loss {last['loss']:.4f}  "
                f"train accuracy {100 * last['accuracy']:.2f} %"
            )
        return history

    def epoch(self, epoch: int) -> Record:
        """One pass over the images in an order of its own."""
        device = self.feeder.device
        generator = torch.Generator(device)
        generator.manual_seed(derive(self.seed, "epoch", epoch))
        torch.manual_seed(derive(self.seed, "dropout", epoch))
        self.model.train()
        order = torch.randperm(len(self.feeder), generator=generator, device=device)
        # Losses stay on the device until the epoch ends: reading one would wait for the GPU.
        losses = torch.empty(self.batches, device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        batches = order.split(self.recipe["batch_size"])[: self.batches]
        for index, rows in enumerate(batches):
            batch = Batch(epoch, index, epoch * self.batches + index)
            self.optimiser.rate = self._rate(batch)
            loss, right = self.step(*self.feeder.batch(rows, generator), batch)
            losses[index] = loss
            correct += right
        self._check(losses, epoch)
        return {
            "epoch": epoch,
            "lr": self.optimiser.rate,
            "loss": losses.mean().item(),
            "accuracy": correct.item() / sum(map(len, batches)),
            **self.method.record(),
        }

    def step(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """One optimiser step; loss and number of right predictions, both still on the device."""
        inputs, perturb = self.method.inputs(x, y, batch)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.lowered):
            logits = self.forward(inputs, perturb)
            loss = self.method.loss(logits, y)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.method.after(x, y, batch)
        return loss.detach(), (logits[: len(y)].detach().argmax(1) == y).sum()

    def _rate(self, batch: Batch) -> float:
        recipe = self.recipe
        return learning_rate(
            recipe["schedule"],
            recipe["lr"],
            batch.epoch,
            recipe["epochs"],
            batch.index,
            self.batches,
        )

    def _check(self, losses: Tensor, epoch: int) -> None:
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = int(bad[0])
            raise PenumbraError(
                f"loss is {losses[step].item()} in epoch {epoch + 1}, step {step + 1} of "
                f"{self.batches}, recipe {self.recipe['name']}; try a smaller lr (now "
                f"{self.recipe['lr']}), precision float32, for UAT a smaller alpha, "
                "or for energy a smaller beta"
            )


@torch.inference_mode()
def accuracy(model: Classifier, inputs: Any, labels: Tensor) -> float:
    """Share of right predictions in eval mode over batches of normalised inputs, in order."""
    model.eval()
    right = 0
    start = 0
    for x in inputs:
        right += int((model(x).argmax(1) == labels[start : start + len(x)]).sum())
        start += len(x)
    return right / start
