"""Stanford Cars (Krause et al. 2013) as published: images in two folders, annotations in `.mat`."""

from pathlib import Path
from typing import Any

import numpy as np

from penumbra.errors import PenumbraError, unknown
from penumbra.images.listed import Listed
from penumbra.images.names import check_classes

META = "devkit/cars_meta.mat"
# By split: the folder of its images, and where its annotations may lie.
SPLITS = {
    "train": ("cars_train", ("devkit/cars_train_annos.mat",)),
    "test": (
        "cars_test",
        ("cars_test_annos_withlabels.mat", "devkit/cars_test_annos_withlabels.mat"),
    ),
}
MEND = "take the file of the published devkit, or save it again with -v7"


def listed(place: Path, split: str) -> Listed:
    """The images that the annotations name, whole (their boxes are not cut out).

    Raises:
        PenumbraError: a file is missing, of another version of MATLAB, or without the fields;
            a class is out of range, or an image is not there.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS, "Stanford Cars")
    folder, places = SPLITS[split]
    names = _field(place / META, "class_names")
    classes = [str(name) for name in names]
    check_classes(classes, place / META)
    file = next((place / each for each in places if (place / each).is_file()), place / places[0])
    if split == "test" and not file.is_file():
        raise PenumbraError(
            f"there is no {file}; labels of the test images are a download of their own beside "
            "the devkit: put that file there"
        )
    rows = [
        (f"{folder}/{name}", _image(place / folder / name, where), _label(cls, classes, where))
        for where, name, cls in _annotations(file)
    ]
    return Listed(rows, classes)


def _annotations(file: Path) -> list[tuple[str, str, Any]]:
    """Where it is said, image and class of every annotation."""
    every = _field(file, "annotations")
    fields = every.dtype.names or ()
    for needed in ("class", "fname"):
        if needed not in fields:
            raise PenumbraError(
                f"{file}: its annotations have no field `{needed}`, but "
                f"{', '.join(fields) or 'none'}; {MEND}"
            )
    pairs = zip(every["fname"], every["class"], strict=True)
    return [(f"{file}, annotation {i}", str(name), cls) for i, (name, cls) in enumerate(pairs, 1)]


def _image(image: Path, where: str) -> Path:
    if not image.is_file():
        raise PenumbraError(f"{where}: there is no {image}; unpack the archive again")
    return image


def _label(cls: Any, classes: list[str], where: str) -> int:
    number = int(cls) if np.ndim(cls) == 0 and str(cls).isdecimal() else 0
    if number not in range(1, len(classes) + 1):
        raise PenumbraError(f"{where}: class {cls} is none of 1 to {len(classes)}; {MEND}")
    return number - 1


def _field(file: Path, name: str) -> np.ndarray:
    """A variable of a `.mat` file, flat."""
    data = _loaded(file)
    if name not in data:
        there = ", ".join(key for key in data if not key.startswith("__"))
        raise PenumbraError(f"{file}: it has no variable `{name}`, but {there or 'none'}; {MEND}")
    return np.atleast_1d(data[name])


def _loaded(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise PenumbraError(f"there is no {file}; unpack the devkit there")
    from scipy.io import loadmat  # seconds to import; only this data set needs it

    try:
        return loadmat(file, squeeze_me=True)
    except NotImplementedError as error:  # MATLAB 7.3 writes HDF5
        raise PenumbraError(f"{file}: it is of MATLAB 7.3, which is not read; {MEND}") from error
    except Exception as error:  # of damaged bytes anything
        raise PenumbraError(f"{file}: no .mat file that can be read ({error}); {MEND}") from error
