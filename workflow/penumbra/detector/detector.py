"""A detector in use: is an image like those that its network was trained on?"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from penumbra.detector import threshold as thresholds
from penumbra.detector.calibration import Probability
from penumbra.detector.code import with_code
from penumbra.detector.file import HELDOUT, OOD, Description, read
from penumbra.detector.groups import groups_of
from penumbra.detector.pixels import check_sides, of_array, of_file, of_image
from penumbra.detector.scoring import Scoring, reader_of
from penumbra.errors import PenumbraError

if TYPE_CHECKING:
    import pandas as pd

NAMES = (str, torch.device)  # what may name a device
Images = np.ndarray | Sequence[Image.Image] | Sequence[str | Path]


def device_of(name: str) -> torch.device:
    """`cpu`, `cuda`, one GPU as `cuda:1`, or `auto` for a GPU where there is one.

    Raises:
        PenumbraError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device: torch.device | None = torch.device(name) if isinstance(name, NAMES) else None
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise PenumbraError(f"device {name!r}: is none; name cpu, cuda, one GPU as cuda:1, or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PenumbraError(
            f"device {name}: {torch.cuda.device_count()} GPUs are visible; take cpu, or auto"
        )
    return device


def _checked(batch_size: int) -> int:
    """How many images are scored at once."""
    if not isinstance(batch_size, Integral) or isinstance(batch_size, bool):
        raise PenumbraError(f"batch size {batch_size!r}: give an integer, as 64")
    if batch_size < 1:
        raise PenumbraError(f"batch size {batch_size}: at least one image is scored at once")
    return int(batch_size)


class Detector:
    """What `penumbra detector export` wrote, ready to score images.

    `threshold` is the score at and above which an image is accepted as ID, `tpr` the share of the
    held-out ID images that are (`threshold.threshold`), `description` all that the file says.

        detector = Detector.load("digits.safetensors")
        detector(["one.png", "two.jpg"])
        detector.at(0.99)(array)
    """

    def __init__(
        self,
        description: Description,
        tensors: dict[str, Tensor],
        device: str = "auto",
        batch_size: int | None = None,
    ):
        self.description = description
        self.batch_size = description.batch_size if batch_size is None else _checked(batch_size)
        reader = reader_of(description, tensors, device_of(device), self.batch_size)
        self._scoring = Scoring(reader, description.scorer, tensors)
        self._known = {role: tensors[role].numpy() for role in (HELDOUT, OOD) if role in tensors}
        self._p_id: Probability | None = None
        if description.calibration is not None:
            of_id, of_ood = self.known
            self._p_id = Probability(of_id, of_ood, description.calibration["parameters"])
        self._set(description.tpr)

    def _set(self, tpr: float) -> None:
        self._tpr, self._threshold = tpr, thresholds.threshold(self.heldout, tpr)

    @classmethod
    def load(
        cls,
        file: str | Path,
        device: str = "auto",
        batch_size: int | None = None,
        code: str | Path | None = None,
    ) -> "Detector":
        """The detector in a file, on a device (see `device_of`).

        `code` is the folder of the file of Python that makes its network, where that is one of the
        user's own (`network: python:…`): a detector carries weights and no code.

        Raises:
            PenumbraError: it is no detector's file or a damaged one, there is no such device, or
                its network is made by code that is not given.
        """
        description, tensors = read(file)
        return cls(with_code(description, code), tensors, device, batch_size)

    @property
    def tpr(self) -> float:
        """The share of held-out ID images that is accepted, at least; in (0, 1)."""
        return self._tpr

    @property
    def threshold(self) -> float:
        """The lowest score that is accepted."""
        return self._threshold

    @property
    def known(self) -> list[np.ndarray]:
        """The scores of the held-out ID images, and of the calibration OOD images if any."""
        return list(self._known.values())

    @property
    def heldout(self) -> np.ndarray:
        """Scores (n,) of the held-out ID images, which set the threshold."""
        return self._known[HELDOUT]

    @property
    def scoring(self) -> Scoring:
        """The network and its scorer."""
        return self._scoring

    def at(self, tpr: float) -> "Detector":
        """The same detector, accepting another share of held-out ID images.

        Raises:
            PenumbraError: the share is no number between 0 and 1.
        """
        made = copy.copy(self)
        made._set(tpr)
        return made

    def false_accepts(self) -> float | None:
        """The share of the calibration OOD images that is accepted, or None without such images."""
        ood = self._known.get(OOD)
        return None if ood is None else float((ood >= self.threshold).mean())

    def __call__(self, images: Images) -> "pd.DataFrame":
        """One row an image: `score`, `p_id` (NaN where it is not calibrated), `accept` (bool).

        `images` are uint8 (N, 3, H, W), or else (N, H, W, 3); images of Pillow; or paths of image
        files, which are then the index. What is not (3, size, size) is made so as the workflow
        does it, of files always. Memory is that of a batch, and of its scores.

        Raises:
            PenumbraError: an image cannot be read, or the array is none of images.
        """
        import pandas as pd

        names, batches = self._batches(images)
        scores = [self.scores(batch) for batch in batches]
        whole = np.concatenate(scores) if scores else np.empty(0)
        return pd.DataFrame(self.judged(whole), index=names)

    def judged(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """`score`, `p_id` and `accept` of scores (N,)."""
        return {"score": scores, "p_id": self.p_id(scores), "accept": scores >= self.threshold}

    def p_id(self, scores: np.ndarray) -> np.ndarray:
        """P(ID) of scores (N,) where ID and OOD are equally likely; NaN without a calibration."""
        if self._p_id is None or not len(scores):
            return np.full(len(scores), np.nan)
        return self._p_id(scores)

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """Scores (N,) float64 of uint8 (N, 3, size, size); larger is more ID."""
        # As in the jobs of the workflow: float32 is float32, and the same bytes come again.
        exact = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )
        with exact:
            return self._scoring(pixels)

    def _batches(self, images: Any) -> tuple[list[str] | None, Iterator[np.ndarray]]:
        """Names, where images have some, and uint8 (n, 3, size, size)."""
        way, size = self.description.square, self.description.size
        if isinstance(images, np.ndarray):
            return None, of_array(images, way, size, self.batch_size)
        if isinstance(images, str | Path | Image.Image):
            raise PenumbraError("a detector takes a list of images or paths; put the one into one")
        if not isinstance(images, Iterable):
            raise PenumbraError(f"a detector takes images or paths, and none is in {images!r}")
        listed = list(images)
        is_image = [isinstance(image, Image.Image) for image in listed]
        made: Callable[[Any, str, int], np.ndarray]
        if all(is_image):
            check_sides(listed)
            names, made = None, of_image
        elif not any(is_image) and all(isinstance(image, str | Path) for image in listed):
            names, made = [str(image) for image in listed], of_file
        else:
            kinds = ", ".join(sorted({type(image).__name__ for image in listed}))
            raise PenumbraError(
                f"a detector takes a uint8 array, images of Pillow, or paths; these are {kinds}"
            )
        groups = groups_of(listed, self.batch_size)
        return names, (np.stack([made(image, way, size) for image in group]) for group in groups)
