"""What a world of one's own trains, chosen by its images: few rules, each told with its reason."""

from collections.abc import Sequence
from typing import NamedTuple

from penumbra.images.looks import Look
from penumbra.numerics import principal_dim

SIZES = (32, 64, 96, 128, 224)
ENLARGED = 1.15  # a side may be so much larger than the images' own
LARGEST_ON_CPU = 96
SMALL = 64  # up to this side a network keeps the resolution at its stem
WIDTHS = {True: 64, False: 16}  # on a GPU, as published; on a CPU
SMALL_WIDTH, FEW = 8, 2000  # on a CPU, where images are this few and small
SHOWN = {True: 4_000_000, False: 60_000}  # images that a training shows, on a GPU and a CPU
EPOCHS = {True: (30, 200), False: (10, 60)}
BATCHES = ((10_000, 128), (500, 64), (0, 32))  # from so many training images on
NUMBERS = {*("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")}
NEIGHBOURS = 50  # of KNN, as its paper has for classes of 5,000 images
RATE = 0.1 / 128  # learning rate an image of a batch


class Choices(NamedTuple):
    """Size and shape of the images, the network and how long it is trained, and why."""

    size: int
    square: str
    stem: str
    width: int
    epochs: int
    batch_size: int
    flip: bool
    precision: str
    reasons: tuple[str, ...]

    @property
    def lr(self) -> float:
        """The learning rate that goes with the batch size."""
        return round(RATE * self.batch_size, 4)


def choose(train: Look, count: int, size: int | None, has_gpu: bool) -> Choices:
    """The choices for training on `count` of the images `train`; a `size` that is given stays."""
    machine = "a GPU" if has_gpu else "no GPU"
    size, why = size_of(train.side(), has_gpu) if size is None else (size, "as given")
    square, shape = square_of(train)
    stem = "cifar" if size <= SMALL else "imagenet"
    is_small = count < FEW or (size > SIZES[0] and stem == "cifar")
    width = SMALL_WIDTH if is_small and not has_gpu else WIDTHS[has_gpu]
    batch = next(batch for least, batch in BATCHES if count >= least)
    least, most = EPOCHS[has_gpu]
    epochs = max(least, min(most, round(SHOWN[has_gpu] / count)))
    flip = not _are_signs(train.classes)
    named = "words" if flip else "numbers or characters, which a mirror makes others"
    reasons = (
        f"size {size}: {why}",
        f"square by {square}: {shape}",
        f"resnet18, stem {stem}: {'at most' if stem == 'cifar' else 'over'} {SMALL} pixels",
        f"width {width}: {machine}, {count:,} training images",
        f"{epochs} epochs in batches of {batch}: as many as show {SHOWN[has_gpu]:,} images, but "
        f"{least} to {most} ({machine})",
        f"{'flip' if flip else 'no flip'}: classes are called by {named}",
    )
    precision = "bfloat16" if has_gpu else "float32"
    return Choices(size, square, stem, width, epochs, batch, flip, precision, reasons)


def square_of(train: Look) -> tuple[str, str]:
    """How images become squares, and why."""
    oblong = train.oblong()
    return "crop" if oblong > 0.5 else "squash", f"{oblong:.0%} of the ID images are not square"


def size_of(side: int, has_gpu: bool) -> tuple[int, str]:
    """The size for images of a median side, and why."""
    largest = max((one for one in SIZES if one <= ENLARGED * side), default=SIZES[0])
    size = largest if has_gpu else min(largest, LARGEST_ON_CPU)
    capped = f"; without a GPU at most {LARGEST_ON_CPU}" if size < largest else ""
    sizes = ", ".join(map(str, SIZES))
    return size, f"the largest of {sizes} that images {side} wide (median) hold{capped}"


def _are_signs(classes: Sequence[str]) -> bool:
    """Whether all classes are called by a number or a character, as digits and letters are."""
    return all(len(c) == 1 or c.isdecimal() or c.lower() in NUMBERS for c in classes)


def principal(count: int, features: int | None) -> int | None:
    """ViM's dimension where its usual one leaves nothing of so few images; None for the usual.

    `count` images span no more than `count` of the `features` directions.
    """
    is_many = features is None or principal_dim(features) < count
    return None if is_many else max(1, count // 2)


def neighbours(train: Look, share: float) -> int | None:
    """KNN's k where its usual one is too large, so that the k-th neighbour is of another class.

    Half of the smallest class, of whose images a network is trained on `share`; None for the usual.
    """
    half = int(min(train.counts().values()) * share) // 2
    return max(1, half) if half < NEIGHBOURS else None
