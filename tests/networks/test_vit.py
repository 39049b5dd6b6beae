"""The plain ViT: torchvision's names, shapes and logits; its published files; what it refuses."""

import pytest
import torch
import torchvision

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build
from penumbra.networks.loading.given import take_up
from penumbra.training.methods import uat
from tests.training.helpers import CPU, UAT, digits, setting

SMALL = {
    "network": "vit", "image_size": 16, "patch": 4, "width": 24, "depth": 2, "heads": 3, "mlp": 48,
}  # fmt: skip


def theirs():
    torch.manual_seed(1)
    net = torchvision.models.VisionTransformer(16, 4, 2, 3, 24, 48, num_classes=3).eval()
    torch.nn.init.normal_(net.heads.head.weight)  # torchvision's is zero
    return net


def x(count=5):
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def renamed(state):
    """With the last layer's name here."""
    return {name.replace("heads.head.", "fc."): tensor for name, tensor in state.items()}


def test_default_has_the_tensors_of_vit_b_16():
    with torch.device("meta"):
        ours, wanted = build({"network": "vit"}, 1000), torchvision.models.vit_b_16()
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    assert shapes == {name: t.shape for name, t in renamed(wanted.state_dict()).items()}


@pytest.mark.parametrize("old", [False, True], ids=["now", "of before 0.13"])
def test_a_file_of_torchvisions_gives_its_logits(tmp_path, old):
    net, ours = theirs(), build(SMALL, 3).eval()
    state = net.state_dict()
    if old:
        words = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}
        for now, before in words.items():
            state = {name.replace(now, before): tensor for name, tensor in state.items()}
    torch.save(state, tmp_path / "vit.pth")
    take_up(ours, tmp_path / "vit.pth", ["ant", "bee", "cat"])
    with torch.inference_mode():
        torch.testing.assert_close(ours(x()), net(x()), rtol=1e-5, atol=1e-5)


def test_dropout_is_where_torchvision_has_it():
    """Drawn alike in training mode, as both then call the same layers in the same order."""
    ours = build(SMALL | {"dropout": 0.3}, 3)
    net = torchvision.models.VisionTransformer(16, 4, 2, 3, 24, 48, dropout=0.3, num_classes=3)
    ours.load_state_dict(renamed(theirs().state_dict()))
    net.load_state_dict(theirs().state_dict())
    found = []
    for model in (ours.train(), net.train()):
        torch.manual_seed(3)
        found.append(model(x()))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found[0], ours.eval()(x()), atol=1e-3)


def test_it_refuses_other_sizes():
    with pytest.raises(PenumbraError, match=r"side 16, not \(8, 8\); set .* image_size"):
        build(SMALL, 3)(torch.zeros(1, 3, 8, 8))
    for option, message in (("heads", "multiple of 5 heads"), ("patch", "multiple of 5 patch")):
        with pytest.raises(PenumbraError, match=message):
            build(SMALL | {option: 5}, 3)


def test_a_universal_map_raises_its_loss():
    """Phase 3 of UAT at the input, the only place where a map can be added."""
    torch.manual_seed(0)
    model = build(SMALL, 10)
    method = uat.build(UAT, setting(model))
    pixels, labels = digits(32)
    x, y = torch.from_numpy(pixels).to(CPU) / 127.5 - 1, torch.from_numpy(labels)

    def loss():
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(model(x, ("input", method.map)), y)

    before = loss()
    method.ascend(x, y)
    assert loss() > before
    assert method.map.abs().max() <= UAT["alpha"]
    with pytest.raises(PenumbraError, match="unknown position 'final'"):
        uat.build(UAT | {"position": "final"}, setting(model))
