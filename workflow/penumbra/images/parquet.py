"""What the columns of a Parquet file of images mean: images, labels, and the names of classes."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL
from penumbra.images.names import LABELS, check_classes, readable

IMAGE, LABEL = "image", "label"
IMAGES = ("img", "images", "picture", "photo")


class Columns(NamedTuple):
    """Where a file has images, their paths and labels: full names as Parquet counts them."""

    image: str  # the column
    content: str  # of it what holds the bytes; the column itself where it holds nothing else
    path: str | None  # of a struct alone; not in lists
    label: str | None


def columns_of(opened: pq.ParquetFile, file: Path, labelled: bool) -> Columns:
    """The columns of images and labels: `image` and `label`, or the only ones that can be meant.

    Sets that are not labelled use a column `label`, for balanced draws, and no other.

    Raises:
        PenumbraError: none or several can be meant; with the columns that there are.
    """
    fields = {field.name: field.type for field in opened.schema_arrow}
    if len(fields) < len(opened.schema_arrow):
        names = ", ".join(opened.schema_arrow.names)
        raise PenumbraError(f"{file}: two columns have one name ({names}); give each its own")
    image = _image(fields, file)
    leaves = [opened.schema.column(i).path for i in range(opened.metadata.num_columns)]
    inside = [leaf for leaf in leaves if leaf == image or leaf.startswith(image + ".")]
    ends = {leaf.rpartition(".")[2]: leaf for leaf in inside if leaf != image}
    content = ends.get("bytes", ends.get("path", image))
    label = LABEL if LABEL in fields else None
    if labelled and label is None:
        label = _label(fields, image, file)
    path = ends.get("path") if pa.types.is_struct(fields[image]) else None
    return Columns(image, content, path, label)


def _image(fields: dict[str, pa.DataType], file: Path) -> str:
    columns = [name for name, kind in fields.items() if holds_images(kind)]
    for named in ([n for n in columns if n == IMAGE], [n for n in columns if n in IMAGES], columns):
        if len(named) == 1:
            return named[0]
    which = "several columns hold" if columns else "no column holds"
    raise PenumbraError(
        f"{file}: {which} encoded images; its columns are {_listed(fields)}. Name the one with the "
        f"images `{IMAGE}`: a struct of `bytes` and `path`, or the bytes themselves, each a whole "
        "PNG, JPEG or the like"
    )


def holds_images(kind: pa.DataType) -> bool:
    """Whether a column can hold encoded images: bytes, `bytes` or `path` in a struct, or lists."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind) or hasattr(kind, "value_type"):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        named = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        return _is_bytes(named["bytes"]) if "bytes" in named else "path" in named
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _label(fields: dict[str, pa.DataType], image: str, file: Path) -> str:
    columns = [name for name in fields if name.lower() in LABELS and name != image]
    if len(columns) == 1:
        return columns[0]
    which = "several columns may be" if columns else "no column is"
    raise PenumbraError(
        f"{file}: {which} that of the labels; its columns are {_listed(fields)}. Name the one that "
        f"you mean `{LABEL}`, or state labelled: false in the catalogue"
    )


def _listed(fields: dict[str, pa.DataType]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in fields.items())


def class_names(opened: pq.ParquetFile, file: Path, label: str | None) -> list[str]:
    """The class names that the file states: in `classes`, or as the Hub does for its ClassLabel.

    `classes` of the schema metadata is a JSON list, or names between commas.

    Raises:
        PenumbraError: the names cannot be read, cannot tell classes apart, or are stated twice and
            differently.
    """
    meta = opened.schema_arrow.metadata or {}
    own = _own(_text(meta.get(b"classes", b""), file))
    hub = _of_hub(_text(meta.get(b"huggingface", b""), file), label, file)
    if own and hub and own != hub:
        raise PenumbraError(
            f"{file}: its metadata state other class names in `classes` than in `huggingface`; "
            "take one of them out"
        )
    names = own or hub
    check_classes(names, file)
    return names


def _text(value: bytes, file: Path) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise PenumbraError(
            f"{file}: class names in its metadata are not UTF-8, '{readable(value)[:200]}'; write "
            "the file again with names in UTF-8"
        ) from None


def _own(text: str) -> list[str]:
    if text.startswith("["):
        try:
            names = json.loads(text)
        except ValueError:
            names = None
        if isinstance(names, list):
            return names
    return text.split(",") if text else []


def _of_hub(text: str, label: str | None, file: Path) -> list[str]:
    try:
        node: Any = json.loads(text) if text else {}
    except ValueError as error:
        raise PenumbraError(
            f"{file}: the metadata `huggingface` are no JSON ({error}); write the file again"
        ) from error
    for key in ("info", "features", label):
        node = node.get(key) if isinstance(node, dict) else None
    names = node.get("names") if isinstance(node, dict) else None
    return names if isinstance(names, list) else []


def texts(column: pa.ChunkedArray, file: Path, what: str) -> Iterable[str | None]:
    """The texts of a column, row by row.

    Raises:
        PenumbraError: one is not UTF-8; with its row.
    """
    for row, value in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            yield value if value is None else value.decode()
        except UnicodeDecodeError:
            raise PenumbraError(
                f"{file}: the {what} of row {row} is not UTF-8, '{readable(value)}'; write the "
                "file again with texts in UTF-8"
            ) from None


def labels_of(
    column: pa.ChunkedArray, file: Path, name: str, labelled: bool
) -> Iterable[int | str]:
    """The labels row by row: whole numbers, or the names of classes.

    A set that is not labelled has -1 where a label is missing, or all are of another kind.

    Raises:
        PenumbraError: the set is labelled and a label is missing or neither whole nor a name.
    """
    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if not labelled and not types.is_integer(kind):
        return [NO_LABEL] * len(column)
    if not labelled:
        return [NO_LABEL if value is None else value for value in column.to_pylist()]
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise PenumbraError(
            f"{file}: row {row} has no label (`{name}` is null); label it or take the row out"
        )
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return [str(text) for text in texts(column, file, name)]
    if types.is_integer(kind) or types.is_boolean(kind):
        return [int(value) for value in column.to_pylist()]
    if not types.is_floating(kind):
        raise PenumbraError(
            f"{file}: the labels `{name}` are of the type {kind}; one whole number, or one class "
            "name, is expected of every image"
        )
    return list(_whole(column.to_pylist(), file, name))


def _whole(values: list[float], file: Path, name: str) -> Iterable[int]:
    for row, value in enumerate(values):
        if not float(value).is_integer():
            raise PenumbraError(
                f"{file}: the label `{name}` of row {row} is {value}, no whole number; labels "
                "number the classes from 0"
            )
        yield int(value)
