"""ResNets in BiT's layout: what timm computes, and weights under the names of BiT's files."""

import numpy as np
import pytest
import timm
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.backbones.resnetv2 import build
from penumbra.networks.loading.given import take_up

CLASSES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return build(3, 50, width=4, stem="cifar").eval()


def x(size=32):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_logits_do_not_depend_on_the_batch(small):
    small.train()  # which changes nothing, as there is no batch norm
    together = small(x())
    assert together.shape == (2, 3)
    assert torch.allclose(together[:1], small(x()[:1]), atol=1e-5)


def test_places_are_named_in_order(small):
    assert small.blocks[0] == "block1.0"
    assert len(small.blocks) == 16
    assert small.levels == ("block1.2", "block2.3", "block3.5", "block4.2")
    maps = small.maps(x(), small.levels)
    assert [m.shape[1:] for m in maps.values()] == [
        (16, 32, 32), (32, 16, 16), (64, 8, 8), (128, 4, 4)
    ]  # fmt: skip
    assert torch.equal(small.onward("block4.2", maps["block4.2"]), small(x()))
    assert {*small.last_weights} <= small.state_dict().keys()
    large = build(3, 50, width=4)
    assert large.maps(x(64), ("block1.0",))["block1.0"].shape[-1] == 16


def as_timm(state):
    """Our tensors by timm's names."""
    names = {"gn": "norm", "root.": "stem.", "fc.": "head.fc.", "downsample": "downsample.conv"}
    renamed = {}
    for name, tensor in state.items():
        if name.startswith("body."):
            _, layer, unit, rest = name.split(".", 3)
            name = f"stages.{int(layer[5:]) - 1}.blocks.{int(unit[4:]) - 1}.{rest}"
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor[..., None, None] if name == "head.fc.weight" else tensor
    return renamed


def test_it_computes_what_timm_computes():
    torch.manual_seed(2)
    ours = build(3, 50).eval()
    theirs = timm.create_model("resnetv2_50x1_bit", pretrained=False, num_classes=3).eval()
    for name, tensor in ours.state_dict().items():
        if "gn" in name or name.startswith("norm"):
            tensor.uniform_(0.5, 1.5)
    theirs.load_state_dict(as_timm(ours.state_dict()))
    with torch.inference_mode():
        torch.testing.assert_close(ours(x(64)), theirs(x(64)), rtol=1e-4, atol=1e-4)


def as_bit(state):
    """Our tensors by the names of BiT's code, the last layer as a convolution."""
    renamed = {}
    for name, tensor in state.items():
        name = name.replace("fc.", "head.conv.")
        name = f"head.gn{name[4:]}" if name.startswith("norm") else name
        renamed[name] = tensor[..., None, None] if name == "head.conv.weight" else tensor
    return renamed


def as_numpy(state):
    """Our tensors by the names of BiT's published arrays, filters with their outputs last."""
    arrays = {}
    for name, tensor in as_bit(state).items():
        array = tensor.numpy()
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
        leaf = {"weight": "gamma", "bias": "beta"}[name.rpartition(".")[2]]
        if name.startswith("body."):
            _, layer, unit, rest = name.split(".", 3)
            letter = "abc"[int(rest[len("conv")]) - 1] if rest.startswith("conv") else "a"
            letter = "abc"[int(rest[2]) - 1] if rest.startswith("gn") else letter
            kind = f"group_norm/{leaf}" if rest.startswith("gn") else "standardized_conv2d/kernel"
            kind = f"proj/{kind}" if rest.startswith("downsample") else kind
            called = f"{layer}/{unit}/{letter}/{kind}"
        elif name.startswith("root"):
            called = "root_block/standardized_conv2d/kernel"
        elif name.startswith("head.gn"):
            called = f"group_norm/{leaf}"
        else:
            called = f"head/conv2d/{'kernel' if leaf == 'gamma' else 'bias'}"
        arrays[f"resnet/{called}"] = array
    return arrays


def save_bit(state, file):
    torch.save({"model": {f"module.{k}": v for k, v in as_bit(state).items()}}, file)


def save_numpy(state, file):
    np.savez(file, **as_numpy(state))


@pytest.mark.parametrize(("save", "file"), [(save_bit, "bit.pth.tar"), (save_numpy, "bit.npz")])
def test_published_names_are_understood(small, tmp_path, save, file):
    save(small.state_dict(), tmp_path / file)
    torch.manual_seed(5)
    other = build(3, 50, width=4, stem="cifar").eval()
    take_up(other, tmp_path / file, CLASSES)
    with torch.inference_mode():
        assert torch.equal(other(x()), small(x()))


def test_arrays_that_do_not_fit_or_cannot_be_read_are_named(small, tmp_path):
    arrays = as_numpy(small.state_dict())
    del arrays["resnet/block4/unit03/c/group_norm/beta"]
    np.savez(tmp_path / "bit.npz", **arrays)
    with pytest.raises(PenumbraError, match=r"missing: body\.block4\.unit03\.gn3\.bias$"):
        take_up(small, tmp_path / "bit.npz", CLASSES)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(PenumbraError, match=r"bad\.npz: not a readable file of NumPy arrays"):
        take_up(small, tmp_path / "bad.npz", CLASSES)
