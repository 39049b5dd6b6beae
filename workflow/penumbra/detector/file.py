"""The file that a user takes away: a network, a scorer and what both need, with a version number.

It is a sealed safetensors file. Its tensors are the network's (`model.…`), the universal map that
is added (`map@<place>`), what the scorer was fitted to (`fitted.…`), and the scores of the held-out
ID images and of the calibration OOD images. All else is the `Description`, in the provenance.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from penumbra.detector.threshold import check_tpr
from penumbra.errors import PenumbraError
from penumbra.store import seals
from penumbra.store.artifacts import (
    ARTIFACT,
    provenance_of,
    read_checkpoint,
    write_checkpoint,
)

FORMAT = 1
KEY = "detector"
HELDOUT, OOD, FITTED = "heldout", "calibration_ood", "fitted."
EXPORT = "`penumbra detector export` writes one"


@dataclass(frozen=True)
class Description:
    """What a detector is made of, beside its tensors.

    `backbone` are the arguments of `networks.inference.build`; `square` says how an image of any
    shape becomes (3, size, size), one of `images.prepared.WAYS`; `scorer` has the scorer's `name`,
    `module`, `options`, `needs`, the `block` that it reads and the one in whose place
    (`instead_of`), and the `role` of the images that it was `fitted` on, each empty where there is
    none. `calibration` is that of `calibration.calibrate`, or None, and `uncalibrated` then says
    why. `names` are world, benchmark, backbone, recipe, seed and input. `tpr` is the share of
    held-out ID images that is accepted. `commit` is that of the code, where it was known.
    """

    backbone: dict[str, Any]
    normalisation: dict[str, list[float]]
    size: int
    square: str
    classes: list[str]
    precision: str
    channels_last: bool
    batch_size: int
    scorer: dict[str, Any]
    calibration: dict[str, Any] | None
    uncalibrated: str
    names: dict[str, str]
    tpr: float
    commit: str = ""

    def at(self, tpr: float) -> "Description":
        """The same at another share of accepted held-out ID images.

        Raises:
            PenumbraError: it is not between 0 and 1.
        """
        check_tpr(tpr)
        return replace(self, tpr=tpr)


def write(
    path: str | Path,
    description: Description,
    tensors: Mapping[str, Tensor],
    provenance: Mapping[str, Any],
) -> None:
    """Write a detector; `provenance` is that of the job that made it."""
    made = {key: value for key, value in provenance.items() if key != ARTIFACT}
    write_checkpoint(path, tensors, {**made, KEY: {"format": FORMAT, **asdict(description)}})


def described(path: str | Path) -> Description:
    """What a detector is, without its tensors; the file is checked.

    Raises:
        PenumbraError: there is no such file, or it is no detector, of another format, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise PenumbraError(f"{path}: is a folder, and no detector; {EXPORT}")
    if not path.is_file():
        raise PenumbraError(f"{path}: there is no such file; {EXPORT}")
    header = _provenance(path).get(KEY)
    if header is None:
        raise PenumbraError(f"{path}: is no detector, but another file of Penumbra's; {EXPORT}")
    header = dict(header)
    form = header.pop("format", None)
    if form != FORMAT:
        raise PenumbraError(
            f"{path}: is a detector of format {form}, and this version of Penumbra reads format "
            f"{FORMAT}; read it with the version that wrote it, or export it anew"
        )
    try:
        seals.check(path, ours=True)
        return Description(**header)
    except (PenumbraError, TypeError) as error:
        raise PenumbraError(
            f"{path}: is damaged, its bytes are not those that were written; export it anew, or "
            "copy it again"
        ) from error


def _provenance(path: Path) -> dict[str, Any]:
    try:
        return provenance_of(path)
    except PenumbraError as error:
        raise PenumbraError(f"{path}: is no detector; {EXPORT}") from error


def read(path: str | Path) -> tuple[Description, dict[str, Tensor]]:
    """A detector's description and tensors.

    Raises:
        PenumbraError: as `described`.
    """
    return described(path), read_checkpoint(path)


def exported(source: Path, file: Path, tpr: float, commit: str) -> Description:
    """Write the detector artifact `source` to `file`, accepting at `tpr`.

    Raises:
        PenumbraError: as `described`, `check_name` and `Description.at`.
    """
    check_name(file)
    description, tensors = read(source)
    description = replace(description.at(tpr), commit=commit)
    write(file, description, tensors, provenance_of(source))
    return description


def check_name(file: Path) -> None:
    """Refuse a file that could not be written as a detector.

    Raises:
        PenumbraError: its suffix is another, or its folder is not there.
    """
    if file.suffix != seals.CHECKPOINT:
        raise PenumbraError(f"{file}: a detector's file ends in {seals.CHECKPOINT}; name it so")
    if not file.parent.is_dir():
        raise PenumbraError(f"{file}: there is no folder {file.parent}")
