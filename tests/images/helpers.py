"""Small real image folders and Parquet files, and image sets read from them."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from skimage import data as pictures

from penumbra.images.entries import Entries
from penumbra.images.image_set import ImageSet, decoded, from_table, to_table
from penumbra.images.readers import digits, stored
from penumbra.images.subset import select

SPLITS = {"train": {"fraction": 0.4}, "heldout": {"fraction": 0.1}, "test": {"fraction": 0.5}}
DIGITS = {"reader": "digits", "labelled": True, "splits": SPLITS}
PETS = {
    "title": "Cats and dogs",
    "reader": "stored",
    "source": "made here",
    "labelled": True,
    "classes": 2,
    "size": 32,
    "splits": {"train": {"count": 6}},
}


def spec(**changes):
    """The config of an images job: the pets' training split, unless changed."""
    base = {
        "name": "pets-train", "dataset_name": "pets", "dataset": PETS, "split": "train",
        "size": 32, "classes": None, "classes_file": None, "folders": None, "count": 6,
        "limit": None, "share": None, "thin": None, "semantic": None, "covariate": None,
    }  # fmt: skip
    return base | changes


def whole(entries: Entries) -> ImageSet:
    """All images decoded, as a stage that reads the artifact gets them."""
    return from_table(pa.concat_tables(to_table(part) for part in decoded(entries)))


def read(given: dict, root: Path) -> ImageSet:
    """What the images stage makes of a stored image set's config."""
    return whole(select(stored.entries(given, root), given))


def digits_of(split: str, **changes) -> ImageSet:
    """A split of the digits, cut as `changes` to the config say."""
    given = spec(name="digits", dataset_name="digits", dataset=DIGITS, split=split, **changes)
    return whole(select(digits.entries(given, None), given))


def photographs(count, size=40):
    """Distinct crops of a real photograph."""
    picture = Image.fromarray(pictures.astronaut())
    return [picture.crop((9 * i, 5 * i, 9 * i + size, 5 * i + size)) for i in range(count)]


def write_folder(folder, classes=("cat", "dog"), each=3):
    """`each` photographs in a folder a class."""
    for c, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(photographs(each)):
            image.rotate(90 * (c % 4)).save(folder / name / f"{i}.png")


def write_parquet(file, count=6, classes="cat,dog", group=None, first=0):
    """`count` photographs in turn of two classes, as the Hugging Face hub serves them.

    `group` of them in a row group, all where it is None; `first` are left out before them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for image in photographs(first + count)[first:]:
        text = io.BytesIO()
        image.save(text, "JPEG")
        rows.append({"bytes": text.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(rows, kind), "label": pa.array([i % 2 for i in range(count)])}
    table = pa.table(columns).replace_schema_metadata({"classes": classes})
    pq.write_table(table, file, row_group_size=group)
