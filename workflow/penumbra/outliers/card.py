"""The page of an exported outlier set: what it is, how it was made, how to read it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

COLUMNS = {
    "image": "the outlier, a PNG file",
    "label": "class of the anchor, as a number",
    "class": "the same as a name",
    "outlier": "name of the outlier; its draws are seeded by it",
    "anchor": "row of its anchor in the training image set",
    "scale": "how far from the anchor: scale of the guidance, or deviation of the draws",
    "use": "how often the anchor was used before, or the round of draws",
    "seed": "seed of the embedding's draws",
    "image_seed": "seed of the image's draws",
    "cosine": "between embedding and the anchor's representation",
    "norm": "of the embedding",
    "embedding": "what the image was made from",
    "p_id": "P(ID) by the calibrated judges of the model named above; empty where none was asked",
    "kept": "whether that model's filter keeps it for training",
    "category": "OOD-I covariate, OOD-II semantic, OOD-III severe; of a sample of the set",
    "recognised": "the class recognised in it, of the same sample",
    "recognised_probability": "its probability",
}
SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


class Origin(NamedTuple):
    """Where a set comes from: its world, benchmark and name, config and code; its training data.

    `model` is the one whose judges are quoted, empty for none; `licence` that of the training
    images, as the catalogue states it.
    """

    world: str
    benchmark: str
    name: str
    config: Mapping[str, Any]
    code: str
    train: str
    licence: str
    model: str


def text(origin: Origin, rows: Sequence[pa.Table]) -> str:
    """The page in Markdown, with the head that the Hub reads; `rows` are the set's, in order."""
    whole = pa.concat_tables(rows)
    lines = [
        _head(origin, len(whole)),
        f"# Outliers {origin.name} around {origin.train}",
        f"{len(whole)} images for training out-of-distribution detectors: {_classes(whole)}. They "
        "are meant to lie near the training images and outside of them; none shows what its class "
        "says.",
        "## Columns",
        "\n".join(f"- `{name}`: {COLUMNS.get(name, 'as the kind of the set states it')}"
                  for name in ["image", *whole.column_names]),
        *_judged(origin, whole),
        "## How it was made",
        f"World `{origin.world}`, benchmark `{origin.benchmark}`, code `{origin.code[:16]}`, by "
        "these options:",
        f"```json\n{json.dumps(origin.config, indent=2, sort_keys=True)}\n```",
        "## Licence",
        f"The training images are under: {origin.licence}. Terms of the weights that made the "
        "outliers apply as well.",
        "## Reading",
        '```python\nfrom datasets import load_dataset\n\nset = load_dataset("parquet", '
        'data_files="data/*.parquet")\n```',
        "Penumbra reads it back as an outlier set of the kind `images`, to the same bytes.",
    ]  # fmt: skip
    return "\n\n".join(lines) + "\n"


def _classes(whole: pa.Table) -> str:
    """How many outliers have which class, or none."""
    classes = Counter(whole["class"].to_pylist())
    without = classes.pop(None, 0)
    told = [f"{without} without a class"] if without else []
    if classes:
        few, many = min(classes.values()), max(classes.values())
        told.insert(0, f"{len(classes)} classes of {few} to {many} outliers")
    return ", ".join(told)


def _head(origin: Origin, count: int) -> str:
    size = next((name for most, name in SIZES if count < most), "1M<n<10M")
    return "\n".join([
        "---",
        f"pretty_name: Outliers {origin.name} around {origin.train}",
        "license: other",
        "task_categories: [image-classification]",
        "tags: [out-of-distribution-detection, synthetic]",
        f"size_categories: [{size}]",
        "configs:",
        "- config_name: default",
        "  data_files: [{split: train, path: data/*.parquet}]",
        "---",
    ])  # fmt: skip


def _judged(origin: Origin, whole: pa.Table) -> list[str]:
    if "kept" not in whole.column_names:
        return []
    kept = sum(filter(None, whole["kept"].to_pylist()))
    return [
        "## Judges",
        f"By the model `{origin.model}`: {kept} of {len(whole)} outliers are kept.",
    ]
