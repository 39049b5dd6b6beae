"""Published files of pickles are unpickled only where their checksum is the published one."""

import pickle

import pytest
import yaml

from penumbra.errors import PenumbraError
from penumbra.images.classes import resolved
from penumbra.images.layout import locate
from penumbra.plugins import load


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_pickle_without_its_checksum_is_refused_unopened(root, tmp_path, name):
    catalogue = yaml.safe_load((root / "config/datasets.yaml").read_text())
    dataset = resolved(catalogue[name], root / "config/classes")
    folder = tmp_path / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]
    folder.mkdir()
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch", "batches.meta"]
    for file in [*names, "train", "test", "meta"]:
        with (folder / file).open("wb") as opened:
            pickle.dump(Trap(tmp_path / "ran"), opened)
    with (folder / "test").open("rb") as opened:  # the trap works
        pickle.load(opened)
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    assert locate(name, dataset, "test", tmp_path) is not None
    config = {
        "name": name, "dataset_name": name, "dataset": dataset, "sources": {}, "split": "test",
        "size": 32, "count": 10000, "classes": None, "limit": None,
        "folders": None,
    }  # fmt: skip
    with pytest.raises(PenumbraError, match=dataset["title"].split()[0]):
        load("images.readers", "stored").entries(config, tmp_path)
    assert not (tmp_path / "ran").exists()
