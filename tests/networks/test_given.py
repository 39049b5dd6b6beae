"""Weights from elsewhere: wrappers and prefixes are understood, what does not fit is listed."""

import pickle

import pytest
import safetensors.torch
import torch
import torchvision

from penumbra.errors import PenumbraError
from penumbra.networks.backbones import resnet
from penumbra.networks.backbones import torchvision as torchvision_networks
from penumbra.networks.hooked import Hooked
from penumbra.networks.loading.given import take_up

CLASSES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def source():
    torch.manual_seed(1)
    return torchvision.models.resnet18(num_classes=3).eval()


@pytest.fixture
def ours():
    return torchvision_networks.build(3, "resnet18", image_size=32).eval()


@pytest.fixture(scope="module")
def image():
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def same(ours, source, image):
    with torch.no_grad():
        return torch.equal(ours(image), source(image))


def changed(source, name, change):
    state = {**source.state_dict()}
    return {**state, name: change(state[name].clone())}


def cut(tensor):
    tensor[0] = float("nan")
    return tensor


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "not all weights are finite numbers: .*layer1.0.conv1.weight"),
        (lambda t: t.to(torch.int8), "quantised or pruned network: .*conv1.weight is torch.int8"),
        (lambda t: t.to(torch.complex64), "conv1.weight is torch.complex64, not torch.float32"),
        (lambda t: t > 0, "conv1.weight is torch.bool"),
        (lambda t: t.to_sparse(), "conv1.weight is torch.sparse_coo"),
    ],
)
def test_weights_that_are_no_finite_floating_point_are_refused(
    ours, source, tmp_path, change, said
):
    torch.save(changed(source, "layer1.0.conv1.weight", change), tmp_path / "x.pth")
    with pytest.raises(PenumbraError, match=said):
        take_up(ours, tmp_path / "x.pth", CLASSES)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{k}": v for k, v in state.items()}},
        lambda state: {"epoch": 1, "net": {f"module.model.{k}": v for k, v in state.items()}},
        lambda state: {"best": torch.ones(1), "arch": "resnet18", "state_dict": state},
        lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
        lambda state: {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
        lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
    ],
    ids=["plain", "state_dict", "model-module", "net", "imagenet", "compiled", "old", "half"],
)
def test_what_training_scripts_save_is_understood(ours, source, image, tmp_path, wrap):
    torch.save(wrap(source.state_dict()), tmp_path / "x.pth")
    assert take_up(ours, tmp_path / "x.pth", CLASSES) == {}
    with torch.no_grad():
        wanted = source(image)
    torch.testing.assert_close(ours(image), wanted, rtol=0.05, atol=0.05)


def test_safetensors_and_what_this_project_saves(ours, source, image, tmp_path):
    safetensors.torch.save_file(source.state_dict(), tmp_path / "x.safetensors")
    take_up(ours, tmp_path / "x.safetensors", CLASSES)
    assert same(ours, source, image)
    saved = {f"model.{k}": v for k, v in ours.state_dict().items()} | {"map@input": image}
    safetensors.torch.save_file(saved, tmp_path / "y.safetensors")
    again = torchvision_networks.build(3, "resnet18", image_size=32).eval()
    maps = take_up(again, tmp_path / "y.safetensors", CLASSES)
    assert same(again, source, image)
    assert torch.equal(maps["map@input"], image)


def test_a_layer_called_fc_that_is_not_the_last(image, tmp_path):
    class Two(torch.nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.conv, self.fc = torch.nn.Conv2d(3, 4, 3, 2), torch.nn.Linear(4, 6)
            self.classifier = torch.nn.Linear(6, classes)

        def forward(self, x):
            return self.classifier(self.fc(self.conv(x).mean((2, 3))).relu())

    source, ours = Two(3).eval(), Hooked(Two(3), 3, 32, ["conv"], None).eval()
    torch.save(source.state_dict(), tmp_path / "x.pth")
    take_up(ours, tmp_path / "x.pth", CLASSES)
    assert same(ours, source, image)


def test_names_of_the_usual_networks_for_small_images(image, tmp_path):
    small, other = (resnet.build(3, 18, 8, "cifar").eval() for _ in range(2))
    state = {
        k.replace("downsample", "shortcut").replace("fc.", "linear."): v
        for k, v in small.state_dict().items()
    }
    torch.save({"net": state}, tmp_path / "x.pth")
    take_up(other, tmp_path / "x.pth", CLASSES)
    assert same(other, small, image)


def test_logits_come_in_the_order_of_the_training_images(ours, source, image, tmp_path):
    torch.save(source.state_dict(), tmp_path / "x.pth")
    take_up(ours, tmp_path / "x.pth", CLASSES, ["cat", "ant", "bee"])
    with torch.no_grad():
        torch.testing.assert_close(ours(image), source(image)[:, [1, 2, 0]])
    with pytest.raises(PenumbraError, match=r"not in both: 'bee', 'dog'"):
        take_up(ours, tmp_path / "x.pth", CLASSES, ["cat", "ant", "dog"])
    with pytest.raises(PenumbraError, match=r"names \(4\) are .* \(3\); more than once: 'cat'"):
        take_up(ours, tmp_path / "x.pth", CLASSES, ["cat", "ant", "bee", "cat"])


class Code:
    def __reduce__(self):
        return print, ("run",)


def test_files_that_do_not_fit_say_what_does_not(ours, source, tmp_path, capsys):
    file = tmp_path / "x.pth"

    def refused(message, classes=CLASSES):
        with pytest.raises(PenumbraError, match=message):
            take_up(ours, file, classes)

    torch.save(torchvision.models.resnet34(num_classes=3).state_dict(), file)
    refused(r"the weights do not fit; not expected: net\.layer1\.2.* in all\)")
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), file)
    refused("its last layer tells 10 classes apart, and the training images have 3: 'ant'")
    torch.save({"epoch": 1, "history": [1, 2]}, file)
    refused("no tensors, and none below state_dict.*: it holds epoch, history")
    torch.save([1, 2], file)
    refused("holds a list, not a state dict")
    file.write_bytes(pickle.dumps({"state_dict": Code()}, 2))
    refused("refused, as it holds pickled code")
    torch.save(source, file)
    refused("refused, as it holds pickled code.*save its state dict alone")
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(file)
    refused(r"TorchScript.*the state dict of a classifier is expected.*state_dict\(\)")
    file.write_text("hello world")
    refused("not a readable checkpoint, truncated or damaged")
    file.write_bytes(b"PK\x03\x04 no archive")
    refused("not a readable checkpoint, truncated or damaged")
    assert capsys.readouterr().out == ""
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345678 no tensors")
    refused("not a readable safetensors file")


def normed():
    net = torchvision.models.resnet18(num_classes=3).eval()
    torch.nn.utils.parametrizations.spectral_norm(net.fc)
    return net


def test_a_last_layer_whose_weight_is_made_of_others(image, tmp_path):
    source, file = normed(), tmp_path / "normed.pth"
    torch.save(source.state_dict(), file)
    ours = Hooked(normed(), 3, 32, None, None).eval()
    take_up(ours, file, CLASSES, CLASSES)
    assert same(ours, source, image)
    with pytest.raises(PenumbraError, match=r"normed\.pth: .*remove_parametrizations"):
        take_up(ours, file, CLASSES, CLASSES[::-1])


def test_an_empty_file_of_arrays_is_told(ours, tmp_path):
    (tmp_path / "bad.npz").touch()
    with pytest.raises(PenumbraError, match=r"bad\.npz: not a readable file of NumPy arrays"):
        take_up(ours, tmp_path / "bad.npz", CLASSES)
