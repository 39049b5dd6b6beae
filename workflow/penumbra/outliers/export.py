"""Outlier sets as data sets for others: Parquet files as Hugging Face's `datasets` reads them.

Images keep their bytes. Beside them stands all that is known of how each outlier was made and, of
one model, what its judges said and which category was recognised.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.store.artifacts import read_parquet
from penumbra.store.files import atomic

ROWS = 100  # of a row group, so that a viewer that shows one image reads few
SPLIT = "train"  # what a data set of one split is called by convention
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
KINDS = {1: "OOD-I", 2: "OOD-II", 3: "OOD-III"}


class Told(NamedTuple):
    """What one model says of outliers, by their names.

    `judged` has P(ID), None where no judge was asked, and whether the filter keeps it; `recognised`
    the category of those that were sorted into one, the class, and its probability.
    """

    judged: Mapping[str, tuple[float | None, bool]]
    recognised: Mapping[str, tuple[int, str, float]]


def told(selection: Path | None, categories: Path | None) -> Told:
    """What the two artifacts of a model say; nothing where there is none."""
    judged, recognised = {}, {}
    if selection is not None:
        rows = read_parquet(selection)
        of_judges = rows["q"].to_pylist() if "q" in rows.column_names else [None] * len(rows)
        said = zip(of_judges, rows["kept"].to_pylist(), strict=True)
        judged = dict(zip(rows["outlier"].to_pylist(), said, strict=True))
    if categories is not None:
        columns = ("category", "recognised", "probability")
        rows = read_parquet(categories, ["outlier", *columns])
        kinds = zip(*(rows[name].to_pylist() for name in columns), strict=True)
        recognised = dict(zip(rows["outlier"].to_pylist(), kinds, strict=True))
    return Told(judged, recognised)


def export(
    shards: Sequence[Path], classes: Sequence[str], said: Told, folder: Path
) -> Iterator[pa.Table]:
    """Write a file a shard below `folder`/data; gives each one's rows without images, in order.

    `classes` are those that labels count. An outlier without a class, label -1, has none.

    Raises:
        PenumbraError: a label is no place among the classes.
    """
    for number, shard in enumerate(shards):
        made = _rows(read_parquet(shard), classes, said, str(shard))
        features = {"info": {"features": _features(made.schema, classes)}}
        made = made.replace_schema_metadata({"huggingface": json.dumps(features)})
        file = folder / "data" / f"{SPLIT}-{number:05}-of-{len(shards):05}.parquet"
        with atomic(file) as temporary:
            pq.write_table(made, temporary, compression="zstd", row_group_size=ROWS)
        yield made.drop_columns(["image"])


def _rows(shard: pa.Table, classes: Sequence[str], said: Told, file: str) -> pa.Table:
    labels, names = shard["label"].to_pylist(), shard["outlier"].to_pylist()
    if not all(-1 <= label < len(classes) for label in labels):
        raise PenumbraError(
            f"{file}: it has the label {max(labels)} and its classes are {len(classes)}; it was "
            "made around other training images than those that the world names"
        )
    encoded = shard["image"].combine_chunks()
    paths = pa.array([f"{row:06}.png" for row in range(len(names))], pa.string())
    judged = [said.judged.get(name, (None, None)) for name in names]
    recognised = [said.recognised.get(name, (None, None, None)) for name in names]
    columns = {
        "image": pa.StructArray.from_arrays([encoded, paths], fields=[*IMAGE]),
        "label": shard["label"],
        "class": pa.array([classes[i] if i >= 0 else None for i in labels], pa.string()),
        **{name: shard[name] for name in shard.column_names if name not in ("image", "label")},
    }
    if said.judged:
        columns["p_id"] = pa.array([p_id for p_id, _ in judged], pa.float64())
        columns["kept"] = pa.array([kept for _, kept in judged], pa.bool_())
    if said.recognised:
        kinds, seen, sure = zip(*recognised, strict=True)
        columns["category"] = pa.array([KINDS.get(kind) for kind in kinds], pa.string())
        columns["recognised"] = pa.array(seen, pa.string())
        columns["recognised_probability"] = pa.array(sure, pa.float64())
    return pa.table(columns)


def _features(schema: pa.Schema, classes: Sequence[str]) -> dict[str, Any]:
    """What `datasets` is told of each column."""
    features = {field.name: _feature(field.type) for field in schema}
    return {**features, "label": {"_type": "ClassLabel", "names": [*classes]}}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(kind):
        length = kind.list_size
        return {"_type": "Sequence", "feature": _feature(kind.value_type), "length": length}
    plain = {pa.float32(): "float32", pa.float64(): "float64", pa.bool_(): "bool"}
    return {"_type": "Value", "dtype": plain.get(kind, str(kind))}
