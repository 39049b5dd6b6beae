"""Backbones: shapes, blocks, positions, and agreement with their plain definition."""

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.inference import Reader, build, laid_out, restore, statistics
from penumbra.plugins import load

SMALL = {
    "resnet18": {"network": "resnet", "layers": 18, "width": 4, "stem": "fn"},
    "wrn": {"network": "wrn", "depth": 10, "widen": 1},
    "vgg11": {"network": "vgg11", "width": 4},
    "resnet50": {"network": "resnet", "layers": 50, "width": 4},
}


@pytest.fixture(params=SMALL)
def model(request):
    torch.manual_seed(0)
    return build(SMALL[request.param], 7).eval()


def x(size=32):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_logits_are_the_head_of_the_features(model):
    logits = model(x())
    assert logits.shape == (2, 7)
    assert torch.equal(logits, model.fc(model.features(x())))


def test_every_block_is_a_map(model):
    maps = model.maps(x(), model.blocks)
    assert list(maps) == list(model.blocks)
    assert all(found.ndim == 4 and len(found) == 2 for found in maps.values())


def test_a_map_at_any_position_changes_what_follows(model):
    for position in ("input", *model.positions):
        step = model.place(position)
        map_ = torch.full(model.shape_at(step, (3, 32, 32)), 0.1)
        assert not torch.equal(model(x(), (step, map_)), model(x()))
        assert torch.equal(model(x(), (step, map_ * 0)), model(x()))


def test_missing_block_lists_those_there(model):
    with pytest.raises(PenumbraError, match=f"valid: .*{model.blocks[0]}"):
        model.maps(x(), ("layer9.0",))


def test_paper_sizes():
    resnet = load("networks.backbones", "resnet").build(10, 18, stem="fn")
    assert [m.shape[-1] for m in resnet.eval().maps(x(), resnet.blocks).values()] == [
        *(34, 34, 17, 17, 9, 9, 5, 5)
    ]
    assert sum(p.numel() for p in resnet.parameters()) == 11_173_962
    vgg = load("networks.backbones", "vgg11").build(10)
    maps = [(m.shape[1], m.shape[-1]) for m in vgg.eval().maps(x(), vgg.blocks).values()]
    assert maps == [(64, 32), (128, 16), (256, 8), (256, 4), (512, 4), (512, 4), (512, 2), (512, 2)]
    with torch.device("meta"):
        wrn = load("networks.backbones", "wrn").build(10)
    assert sum(p.numel() for p in wrn.parameters()) == 36_479_194
    assert len(wrn.blocks) == 12


LAST = ("layer1.2", "layer2.3", "layer3.5", "layer4.2")


def test_resnet50_has_torchvisions_keys():
    from torchvision.models import resnet50

    with torch.device("meta"):
        ours, theirs = load("networks.backbones", "resnet").build(1000, 50), resnet50()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }


def test_resnet50_computes_what_torchvision_computes():
    from torchvision.models import resnet50

    ours, theirs = (
        load("networks.backbones", "resnet").build(7, 50).eval(),
        resnet50(num_classes=7).eval(),
    )
    theirs.load_state_dict(ours.state_dict())
    assert torch.allclose(ours(x()), theirs(x()), atol=1e-6)


def test_width_scales_all_of_a_bottleneck_network():
    channels = [m.shape[1] for m in build(SMALL["resnet50"], 7).maps(x(), LAST).values()]
    assert channels == [16, 32, 64, 128]


def test_statistics_are_those_of_the_relu():
    maps = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    found, active = statistics(maps), maps.clamp(min=0)
    assert torch.allclose(found["l2"], active.square().sum((2, 3)).sqrt())
    assert torch.allclose(found["var"], ((active - active.mean((2, 3), True)) ** 2).mean((2, 3)))
    assert torch.equal(found["max"], active.amax((2, 3)))
    assert torch.equal(found["min"], active.amin((2, 3)))
    assert torch.allclose(found["mean"], active.mean((2, 3)))


def test_batch_size_does_not_change_what_is_read():
    pixels = (x(16).numpy() * 127 + 128).astype("uint8").repeat(3, 0)
    checkpoint = {f"model.{k}": v for k, v in build(SMALL["resnet18"], 7).state_dict().items()}
    half = {"mean": [0.5] * 3, "std": [0.5] * 3}
    read = [
        Reader(
            restore(SMALL["resnet18"], 7, checkpoint), half, None, size, torch.device("cpu")
        ).outputs(pixels)["logits"]
        for size in (2, 6)
    ]
    assert abs(read[0] - read[1]).max() < 1e-5


def test_channels_last_on_cpus_takes_multiples_of_16_channels():
    """With 8 channels, oneDNN ends in a segmentation fault at some sizes of images."""
    narrow, wide = (
        build({"network": "resnet", "layers": 18, "width": width, "stem": "fn"}, 4)
        for width in (8, 16)
    )
    with pytest.raises(PenumbraError, match="channels_last: a convolution has 8 channels"):
        laid_out(narrow, True, torch.device("cpu"))
    assert laid_out(narrow, False, torch.device("cpu")) is narrow
    weight = laid_out(wide, True, torch.device("cpu")).layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
