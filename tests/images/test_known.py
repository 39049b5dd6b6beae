"""Labels as places among a model's classes; image sets of classes that it never saw."""

import json

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, to_table
from penumbra.stages.shared.job import Job
from penumbra.stages.shared.reading import RowGroup, as_known, known_classes
from penumbra.store.artifacts import write_checkpoint, write_parquet
from penumbra.store.closure import code_of


def made(classes):
    pixels = np.zeros((4, 3, 2, 2), np.uint8)
    return ImageSet(pixels, np.array([0, 1, -1, len(classes) - 1]), ["o"] * 4, classes)


def test_labels_are_matched_by_name_and_the_unknown_have_none():
    part = RowGroup("pets", 0, made(["b", "x", "a"]))
    assert as_known(part, "test", ["a", "b"]).images.labels.tolist() == [1, -1, -1, 0]
    assert as_known(part, "ood", ["a", "b"]) is part


@pytest.mark.parametrize("role", ["test", "heldout", "shifted"])
def test_classes_of_which_none_is_known_are_refused(role):
    part = RowGroup("pets", 0, made(["0", "1"]))
    message = r"image set pets: none of its classes '0', '1' is among .*'ant', 'bee'.*same names"
    with pytest.raises(PenumbraError, match=message):
        as_known(part, role, ["ant", "bee"])
    unnamed = RowGroup("pets", 0, ImageSet(part.images.pixels, np.full(4, -1), ["o"] * 4, []))
    assert set(as_known(unnamed, role, ["ant", "bee"]).images.labels.tolist()) == {-1}


def job(folder, trained_on="b", **sets):
    """A job of the benchmark b; the classes of its train, test, heldout and shifted images."""
    torch = pytest.importorskip("torch")
    for name, classes in {"train": "ab", "test": "ab", **sets}.items():
        write_parquet(folder / f"{name}.parquet", to_table(made(list(classes))), {})
    made_by = {"wildcards": {"benchmark": trained_on}}
    write_checkpoint(folder / "m.safetensors", {"w": torch.zeros(1)}, made_by)
    config = {"train": "train", "test": "test", "shifted": [s for s in sets if s == "shifted"]}
    config |= {"heldout": "heldout"} if "heldout" in sets else {}
    spec = {
        "rule": "outputs", "wildcards": {"benchmark": "b"}, "config": config, "roots": [],
        "code": code_of(["penumbra.stages.outputs"])["digest"],
    }  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(spec))
    files = map(str, folder.glob("*.parquet"))
    given = [f"model={folder}/m.safetensors", "images=", *files]
    return Job(["--spec", str(folder / "spec.json"), "--in", *given])


@pytest.mark.parametrize("name", ["test", "heldout", "shifted"])
def test_no_known_class_ends_the_job_before_any_image_is_read(tmp_path, name):
    with pytest.raises(PenumbraError, match=f"image set {name}: none of its classes 'c', 'd'"):
        known_classes(job(tmp_path, **{name: "cd"}))


@pytest.mark.parametrize("name", ["test", "heldout"])
def test_a_class_beside_those_of_the_training_is_meant_only_under_other_models(tmp_path, name):
    message = rf"image set {name}: its classes 'c' are not among .*'a', 'b' \(image set train\)"
    with pytest.raises(PenumbraError, match=f"{message}.*image_sets.{name}.classes.*models_of"):
        known_classes(job(tmp_path, **{name: "ac"}))
    assert known_classes(job(tmp_path, trained_on="other", **{name: "ac"})) == ["a", "b"]


def test_fewer_classes_and_shifted_ones_are_as_they_were(tmp_path):
    assert known_classes(job(tmp_path, test="b", heldout="ba", shifted="bc")) == ["a", "b"]
