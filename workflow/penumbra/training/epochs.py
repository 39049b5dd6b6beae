"""What the training loops do around their steps: epochs, records, and a state to go on from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError, UnreadableError
from penumbra.networks.graphs import side_stream
from penumbra.networks.loading.states import under
from penumbra.training.progress import Extent, Progress
from penumbra.training.resume import Record, Resume

UNDER_WAY = "epoch."
Given = TypeVar("Given")  # what a step is given


class Loop(ABC, Generic[Given]):
    """Steps of one kind over epochs of numbered samples; a subclass says what a step is."""

    def __init__(self, module: nn.Module, extent: Extent, seed: int, device: torch.device):
        self.module, self.extent, self.seed, self.device = module, extent, seed, device
        self.under_way: Progress | None = None
        self.stopping = False

    @abstractmethod
    def batches(self, progress: Progress) -> Generator[Given]:
        """What the steps that are left of an epoch are given, one after the other."""

    @abstractmethod
    def advance(self, given: Given, progress: Progress) -> Tensor:
        """One optimiser step; its loss (), still on the device."""

    @abstractmethod
    def record(self, progress: Progress, loss: float) -> Record:
        """What is to be known of a finished epoch, with its mean loss."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Tensors that the next step begins with, other than those of the epoch."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""

    @abstractmethod
    def diverged(self, loss: float, epoch: int, step: int) -> str:
        """What to say, and to try, when a loss is not finite; both counted from 0."""

    def run(self, resume: Resume | None, report: Callable[[str], None]) -> list[Record]:
        """Train all epochs, or what a saved state leaves of them; one record an epoch.

        Raises:
            PenumbraError: SIGTERM stopped the training, or an image can't be read, and its state is
                saved; the loss is not finite, and nothing of that epoch is saved; or the state
                cannot be saved.
        """
        try:
            with side_stream(self.device):
                return self._run(resume, report)
        finally:
            self.close()

    def close(self) -> None:
        """What is done when the training ends, however it does."""

    def _run(self, resume: Resume | None, report: Callable[[str], None]) -> list[Record]:
        history = self._take_up(resume, report) if resume else []
        for epoch in range(len(history), self.extent.epochs):
            try:
                record = self.epoch(epoch, resume)
            except UnreadableError:
                if resume:
                    self._save(resume, history)
                raise
            if record is not None:
                history.append(record)
            if resume:
                self._save(resume, history)
                if self.stopping and len(history) < self.extent.epochs:
                    raise self._stopped(history)
            # What reads the lines may be gone by the signal that this process is yet to get.
            with suppress(BrokenPipeError):
                report(self.line(history[-1]))
        return history

    def epoch(self, epoch: int, resume: Resume | None = None) -> Record | None:
        """One pass over the samples in an order of its own.

        None, with the epoch still under way, where `resume` asked to stop before its last step.
        """
        progress = self.under_way or self._begin(epoch)
        self.module.train()
        try:
            with closing(self.batches(progress)) as batches:
                for given in batches:
                    progress.finish(self.advance(given, progress))
                    self.stopping = resume is not None and resume.asked
                    if self.stopping:
                        break
        except UnreadableError:  # before its step
            self._check(progress.losses_so_far(), epoch)
            self.under_way = progress
            raise
        losses = progress.losses_so_far()
        self._check(losses, epoch)
        self.under_way = progress if progress.done < self.extent.batches else None
        return None if self.under_way else self.record(progress, losses.mean().item())

    def line(self, record: Record) -> str:
        """One line of an epoch's record."""
        return f"epoch {record['epoch'] + 1}/{self.extent.epochs}  loss {record['loss']:.4f}"

    def _begin(self, epoch: int) -> Progress:
        return Progress(epoch, self.extent, self.seed, self.device)

    def _take_up(self, resume: Resume, report: Callable[[str], None]) -> list[Record]:
        tensors, history = resume.read(report)
        if tensors:
            self.restore(tensors)
            under_way = under(tensors, UNDER_WAY)
            if under_way:
                self.under_way = self._begin(len(history))
                self.under_way.restore(under_way)
            report(f"resuming {self._place(history)}")
        return history

    def _save(self, resume: Resume, history: list[Record]) -> None:
        state = self.state()
        if self.under_way:
            state |= {UNDER_WAY + name: t for name, t in self.under_way.state().items()}
        resume.write(state, history)

    def _stopped(self, history: list[Record]) -> PenumbraError:
        return PenumbraError(
            f"stopped by a signal {self._place(history)}; the state is saved, call snakemake again "
            "to go on"
        )

    def _place(self, history: list[Record]) -> str:
        """How far the training is."""
        if self.under_way is None:
            return f"after epoch {len(history)} of {self.extent.epochs}"
        step = f"step {self.under_way.done} of {self.extent.batches}"
        return f"in epoch {len(history) + 1} after {step}"

    def _check(self, losses: Tensor, epoch: int) -> None:
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = int(bad[0])
            raise PenumbraError(self.diverged(losses[step].item(), epoch, step))
