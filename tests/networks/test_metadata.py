"""What weights say of how their images are prepared."""

import json

import pytest
import torch
import torchvision

from penumbra.errors import PenumbraError
from penumbra.networks.loading.metadata import check_normalisation, preprocessing
from penumbra.store.artifacts import write_checkpoint

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def test_torchvisions_files_by_their_published_name(tmp_path):
    entry = torchvision.models.ResNet50_Weights.IMAGENET1K_V2
    file = tmp_path / entry.url.rpartition("/")[2]
    known = preprocessing("torchvision:resnet50", file)
    assert known.mean == [0.485, 0.456, 0.406]
    assert known.std == [0.229, 0.224, 0.225]
    assert known.size == 224
    assert "IMAGENET1K_V2" in known.source
    assert preprocessing("torchvision:resnet50", tmp_path / "mine.pth") is None
    assert preprocessing("torchvision:nothing", file) is None
    assert preprocessing("python:mine:build", file) is None


def test_timms_config_beside_the_file_or_tag_in_the_name(tmp_path):
    file = tmp_path / "model.safetensors"
    assert preprocessing("timm:resnet18", file) is None
    tagged = preprocessing("timm:resnet18.a1_in1k", file)
    assert (tagged.mean[0], tagged.size) == (0.485, 224)
    own = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 96, 96]}
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": own}))
    known = preprocessing("timm:resnet18", file)
    assert (known.mean, known.std, known.size) == (own["mean"], own["std"], 96)


def test_another_normalisation_than_the_weights_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    write_checkpoint(file, {"model.a": torch.ones(1)}, {"config": {"normalisation": HALF}})
    known = preprocessing("resnet", file)
    assert (known.mean, known.size) == (HALF["mean"], None)
    check_normalisation(known, HALF, "mine")
    check_normalisation(None, HALF, "mine")
    other = {**HALF, "std": [0.25, 0.25, 0.25]}
    with pytest.raises(
        PenumbraError, match=r"benchmarks\.mine\.normalisation\.std is \[0\.25.*want \[0\.5"
    ):
        check_normalisation(known, other, "mine")
