"""What a kind of outlier set is given to make one shard of it: its embeddings, its images."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from penumbra.networks.loading.states import State
from penumbra.outliers.grey import to_grey
from penumbra.outliers.store import with_images


@dataclass(frozen=True)
class Sampling:
    """A shard "<i>of<k>" of embeddings: the kind's own `options`, the set's seed, and what is read.

    `representations` are those of all training images, as rows; `state` is the checkpoint `file`
    of the part that samples, and `trained` the classes that it was trained on, None where its file
    does not name them.
    """

    options: Mapping[str, Any]
    seed: int
    shard: str
    device: torch.device
    graphs: bool
    representations: pa.Table
    file: Path
    state: State
    trained: Sequence[str] | None


@dataclass(frozen=True)
class Generator:
    """A part that makes images: `module` of `penumbra.parts`, checkpoint, options, decoding."""

    file: Path
    module: ModuleType
    state: State
    options: Mapping[str, Any]
    decoding: Mapping[str, Any]

    def images(self, *inputs: Tensor, seeds: Sequence[int], batch_size: int) -> np.ndarray:
        """uint8 (N, 3, H, W) of what the part makes images of; image i has its own seed alone."""
        make = functools.partial(self.module.images, self.state, self.options, self.decoding)
        return make(*inputs, seeds, batch_size)


@dataclass(frozen=True)
class Asked:
    """A shard "<i>of<k>" of a set: the kind's own `options`, the set's seed, files and parts.

    What a kind does without is None. `embeddings` are those of the shard; `train` is the file of
    the training images, `given` that of images made elsewhere; `classes` are the names that labels
    count, and `words` what these classes are called, where the kind asks it.
    """

    options: Mapping[str, Any]
    seed: int
    shard: str
    grey: bool
    device: torch.device
    batch_size: int
    embeddings: pa.Table | None
    train: Path
    given: Path | None
    generator: Generator | None
    classes: Sequence[str]
    words: Sequence[str]

    def packed(self, rows: pa.Table, seeds: Sequence[int], pixels: np.ndarray) -> pa.Table:
        """Rows with their images uint8 (N, 3, H, W), grey where the set is, and these' seeds."""
        return with_images(rows, seeds, to_grey(pixels) if self.grey else pixels)
