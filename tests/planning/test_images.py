"""What an image set's job is held to: the files that it reads, and no more of the call."""

import os

import pytest

from penumbra.calls.environment import set_environment
from penumbra.errors import PenumbraError
from penumbra.images.originals import may_download
from penumbra.planning.images import Images

CIFAR = {"image_sets": {"s0": {"dataset": "cifar10", "split": "train"}}}


def spec(world, root, over, **more):
    return Images(world({"data_root": str(root), **over, **more})).spec({"image_set": "s0"})


def test_a_set_is_not_made_anew_because_torchvision_fetched_it(world, tmp_path):
    """Neither by the next call with `download`, nor by one without."""
    before = spec(world, tmp_path, CIFAR, download=True)
    fetched = tmp_path / "cifar-10-batches-py"
    fetched.mkdir()
    (fetched / "data_batch_1").write_bytes(b"0")
    assert spec(world, tmp_path, CIFAR, download=True) == before
    assert spec(world, tmp_path, CIFAR, download=False) == before


def test_files_in_another_layout_are_seen_where_torchvision_could_fetch(world, tmp_path):
    folder = tmp_path / "cifar10/train/cat"
    folder.mkdir(parents=True)
    (folder / "0.png").write_bytes(b"0")
    before = spec(world, tmp_path, CIFAR)
    (folder / "1.png").write_bytes(b"1")
    assert spec(world, tmp_path, CIFAR) != before


@pytest.mark.parametrize("changed", ["tiny_imagenet50/test", "textures64/test"])
def test_a_set_that_is_made_of_others_sees_their_files(world, tmp_path, changed):
    over = {"image_sets": {"s0": {"dataset": "tiny-imagenet50-shifted", "split": "test"}}}
    for source in ("tiny_imagenet50/test", "textures64/test"):
        (tmp_path / source / "one").mkdir(parents=True)
        (tmp_path / source / "one/0.png").write_bytes(b"0")
    before = spec(world, tmp_path, over)
    (tmp_path / changed / "one/1.png").write_bytes(b"1")
    assert spec(world, tmp_path, over) != before


def test_a_class_of_a_set_that_is_made_of_others_sees_all_of_their_files(world, tmp_path):
    """Any image of the other set may be blended in, whatever its class is called."""
    entry = {"dataset": "tiny-imagenet50-shifted", "split": "test", "classes": ["one"]}
    for source in ("tiny_imagenet50/test", "textures64/test"):
        (tmp_path / source / "one").mkdir(parents=True)
        (tmp_path / source / "one/0.png").write_bytes(b"0")
    before = spec(world, tmp_path, {"image_sets": {"s0": entry}})
    (tmp_path / "textures64/test/two").mkdir()
    (tmp_path / "textures64/test/two/1.png").write_bytes(b"1")
    assert spec(world, tmp_path, {"image_sets": {"s0": entry}}) != before


@pytest.mark.parametrize("download", [True, False])
def test_jobs_know_whether_they_may_fetch(root, monkeypatch, download):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    set_environment(root, None, download)
    assert may_download() is download


def test_a_link_is_the_folder_that_it_leads_to(world, tmp_path):
    (tmp_path / "pets/test/cat").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    common = {"title": "Pets", "reader": "stored", "licence": "", "source": "", "size": 32}
    data = {
        name: {**common, "labelled": True, "folder": folder, "splits": {"test": {}}}
        for name, folder in {"one": "pets", "two": "link"}.items()
    }
    sets = {name: {"dataset": name, "split": "test"} for name in data}
    digits = {"benchmarks": {"digits": {"ood": {"near": ["one", "two"]}}}}
    over = {"data_root": str(tmp_path), "datasets": data, "image_sets": sets, **digits}
    with pytest.raises(PenumbraError, match="two may hold images of one"):
        world(over)
