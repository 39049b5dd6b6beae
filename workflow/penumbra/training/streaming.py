"""Training images that stream from where they lie encoded, in memory that stays the same."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from penumbra.images import crops
from penumbra.images.feeding import Feeding, Request, Served, Source
from penumbra.options.augment import Augment

AHEAD = 4  # batches that are made before their turn
RUN = 8  # images that a thread takes at once


@dataclass
class Slot:
    """A place for one batch, uint8 (n, H, W, C); `copied` marks that the device has it."""

    buffer: Tensor
    copied: torch.cuda.Event | None = None


@dataclass
class Coming:
    """A batch that is being made."""

    rows: Tensor
    slot: Slot
    work: list[Future] = field(default_factory=list)


class Streaming(Feeding):
    """Decodes, crops and flips each image anew in threads, AHEAD batches before their turn.

    Crops are of the original images: with `crop_scale` a random resized one, else one of the zero-
    padded square. Threads suffice as PIL decodes and resizes outside the interpreter's lock. What
    a batch is follows from its rows and its generator alone, whatever the number of threads.
    """

    ahead = True

    def __init__(
        self,
        images: Source,
        normalisation: dict[str, list[float]],
        flip: bool,
        crop_padding: int,
        channels_last: bool,
        device: torch.device,
        workers: ThreadPoolExecutor,
        crop_scale: tuple[float, float] | None = None,
    ):
        Augment(flip=flip, crop_padding=crop_padding, crop_scale=crop_scale)
        super().__init__(images.labels, images.shape, normalisation, channels_last, device)
        self.images, self.workers = images, workers
        self.flip, self.padding, self.crop_scale = flip, crop_padding, crop_scale
        self.free: list[Slot] = []

    def served(self, requests: Iterable[Request]) -> Iterator[Served]:
        """The batches in order.

        Raises:
            UnreadableError: an image of the batch whose turn it is can't be read.
        """
        requests = iter(requests)
        coming: deque[Coming] = deque()
        try:
            while True:
                for request in requests:
                    coming.append(self._begin(*request))
                    if len(coming) > AHEAD:
                        break
                if not coming:
                    return
                for work in coming[0].work:
                    work.result()
                yield self._finish(coming.popleft())
        finally:
            for batch in coming:
                self._give_up(batch)

    def close(self) -> None:
        """End the threads."""
        self.workers.shutdown(cancel_futures=True)

    def _begin(self, rows: Tensor, generator: torch.Generator) -> Coming:
        """Let the threads make a batch."""
        draws = torch.rand(len(rows), crops.DRAWS, generator=generator, dtype=torch.float64)
        batch = Coming(rows, self._slot(len(rows)))
        chosen, made = rows.tolist(), batch.slot.buffer.numpy()
        for start in range(0, len(chosen), RUN):
            run = slice(start, start + RUN)
            given = chosen[run], draws[run].numpy(), made[run]
            batch.work.append(self.workers.submit(self._fill, *given))
        return batch

    def _fill(self, rows: list[int], draws: np.ndarray, made: np.ndarray) -> None:
        for row, numbers, place in zip(rows, draws, made, strict=False):
            drawn = crops.Drawn.of(numbers)
            image = self._cropped(self.images.image(row), drawn)
            place[:] = crops.mirrored(image) if self.flip and drawn.flip < 0.5 else image

    def _cropped(self, image: Image.Image, drawn: crops.Drawn) -> Image.Image:
        if self.crop_scale is None:
            return crops.padded(self.images.square(image), self.padding, drawn)
        corners = crops.box(image.size, self.crop_scale, drawn)
        return crops.resized(image, corners, self.shape[1])

    def _finish(self, batch: Coming) -> Served:
        """The batch on the device; its slot is free when the copy has been made."""
        n = len(batch.rows)
        inputs = self.normalised(batch.slot.buffer[:n].to(self.device, non_blocking=True))
        if batch.slot.copied is not None:
            batch.slot.copied.record()
        self.free.append(batch.slot)
        return inputs, self.labels[batch.rows.to(self.device, non_blocking=True)]

    def _give_up(self, batch: Coming) -> None:
        """No thread writes into its slot any more."""
        for work in batch.work:
            if not work.cancel():
                work.exception()  # waits for a thread that is at it
        self.free.append(batch.slot)

    def _slot(self, n: int) -> Slot:
        """A free place for n images; the one that was given back first has been copied longest."""
        while self.free:
            slot = self.free.pop(0)
            if slot.copied is not None:
                slot.copied.synchronize()
            if len(slot.buffer) >= n:  # else it was that of a last, smaller batch
                return slot
        is_pinned = self.device.type == "cuda"
        shape = (n, *self.size, self.shape[0])
        buffer = torch.empty(shape, dtype=torch.uint8, pin_memory=is_pinned)
        return Slot(buffer, torch.cuda.Event() if is_pinned else None)
