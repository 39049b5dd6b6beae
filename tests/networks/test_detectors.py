"""Bad-OOD's detectors: published sizes, agreement with torchvision, small versions that train."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.models import resnet18, resnet34, resnet101

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.networks.inference import build
from penumbra.networks.layers.performer import linear_attention
from penumbra.plugins import HERE
from penumbra.training.loop import Trainer
from penumbra.training.methods import standard
from tests.training.helpers import CPU, HALF, RECIPE, digits, setting

SMALL = {
    "resnet34": {"network": "resnet", "layers": 34, "width": 2},
    "resnet34-cifar": {"network": "resnet", "layers": 34, "width": 2, "stem": "cifar"},
    "resnet101": {"network": "resnet", "layers": 101, "width": 2},
    "resnet101-cifar": {"network": "resnet", "layers": 101, "width": 2, "stem": "cifar"},
    "t2t_vit": {
        "network": "t2t_vit",
        "image_size": 32,
        "depth": 2,
        "width": 24,
        "heads": 2,
        "stem": "cifar",
    },
}


@pytest.fixture(params=SMALL)
def model(request):
    torch.manual_seed(0)
    return build(SMALL[request.param], 7).eval()


def images(count=2, size=32):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, size, size, generator=generator) * 2 - 1


def test_logits_are_the_head_of_the_features(model):
    x = images()
    logits = model(x)
    assert logits.shape == (2, 7)
    assert torch.equal(logits, model.fc(model.features(x)))


def test_every_block_is_a_map(model):
    maps = model.maps(images(), model.blocks)
    assert list(maps) == list(model.blocks)
    assert all(found.ndim == 4 and len(found) == 2 for found in maps.values())


def test_a_map_at_any_position_changes_what_follows(model):
    x = images()
    for position in ("input", *model.positions):
        step = model.place(position)
        map_ = torch.full(model.shape_at(step, (3, 32, 32)), 0.1)
        assert not torch.equal(model(x, (step, map_)), model(x))


def test_an_image_is_read_alike_in_any_batch(model):
    x = images(3)
    together, alone = model(x), torch.cat([model(part) for part in x.split(1)])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        ({"network": "resnet", "layers": 34}, 21.8),
        ({"network": "resnet", "layers": 101}, 44.5),
        ({"network": "t2t_vit"}, 21.5),
    ],
)
def test_published_numbers_of_parameters(network, millions):
    found = build(network, 1000)
    assert round(sum(p.numel() for p in found.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("stem", "sides"), [("imagenet", (16, 8, 4, 2)), ("cifar", (64, 32, 16, 8))]
)
@pytest.mark.parametrize("layers", [34, 101])
def test_stem_decides_the_size_of_maps(layers, stem, sides):
    model = build({"network": "resnet", "layers": layers, "width": 2, "stem": stem}, 7).eval()
    ends = ("layer1.2", "layer2.3", model.blocks[-4], "layer4.2")
    assert tuple(found.shape[-1] for found in model.maps(images(1, 64), ends).values()) == sides
    assert model.positions == {"middle": "layer2.3", "final": "layer4.2"}


@pytest.mark.parametrize(("layers", "published"), [(18, resnet18), (34, resnet34)])
def test_published_weights_load_and_give_what_torchvision_gives(layers, published):
    ours, theirs = build({"network": "resnet", "layers": layers}, 1000).eval(), published().eval()
    ours.load_state_dict(theirs.state_dict())
    x = images(1, 64)
    with torch.inference_mode():
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_resnet101_has_torchvisions_keys():
    with torch.device("meta"):
        ours, theirs = build({"network": "resnet", "layers": 101}, 1000), resnet101()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }


def test_only_bottlenecks_wait_for_torchvision():
    """Its import takes a second, and most jobs run another network."""
    asked = "import sys, penumbra.networks.backbones.resnet as r; r.build(3, 18, 2)"
    check = f"{asked}; sys.exit('torchvision' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    assert subprocess.run([sys.executable, "-c", check], env=environment).returncode == 0


def test_unknown_stem_lists_those_there():
    for network in ({"network": "resnet", "layers": 34}, {"network": "t2t_vit"}):
        with pytest.raises(PenumbraError, match="unknown stem 'cifa'; did you mean 'cifar'"):
            build({**network, "stem": "cifa"}, 7)


def test_t2t_vit_14_as_published():
    """224 pixels become 56 and 28 tokens a side under the Performers, then 14 of width 384."""
    model = build({"network": "t2t_vit"}, 5).eval()
    seen = []
    for performer in model.performers:
        performer.register_forward_hook(
            lambda _, given, out: seen.append((given[0].shape, out.shape))
        )
    with torch.inference_mode():
        tokens = model.places()[0][1](images(1, 224))
    assert seen == [((1, 56**2, 147), (1, 56**2, 64)), ((1, 28**2, 576), (1, 28**2, 64))]
    assert tokens.shape == (1, 14**2 + 1, 384)
    assert [name for name, _ in model.places()][1:-2] == [f"layers.{i}" for i in range(14)]


def test_t2t_vit_knows_where_a_token_is():
    """Swapping two quarters of the image moves tokens; without places the class token is blind."""
    torch.manual_seed(0)
    model = build(SMALL["t2t_vit"], 7).eval()
    x = torch.rand(1, 3, 1, 1).expand(1, 3, 32, 32).clone()
    x[:, :, :16] *= -1
    assert (model.features(x) - model.features(x.flip(2))).abs().max() > 1e-3


def test_t2t_vit_refuses_other_sizes():
    model = build(SMALL["t2t_vit"], 7)
    with pytest.raises(
        PenumbraError, match=r"side 32, not \(16, 16\); set the backbone's image_size"
    ):
        model(images(1, 16))
    with pytest.raises(PenumbraError, match="even multiple of 5 heads"):
        build({"network": "t2t_vit", "heads": 5}, 7)


def test_linear_attention_nears_softmax_attention():
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 12, 16, generator=generator) * scale for scale in (0.6, 0.6, 1))
    exact = F.scaled_dot_product_attention(q, k, v)
    errors = []
    for count in (16, 512, 16384):
        directions = torch.randn(count, 16, generator=generator)
        errors.append(float((linear_attention(q, k, v, directions) - exact).abs().mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02
    uniform = (v.mean(1, keepdim=True) - exact).abs().mean()
    assert errors[2] < 0.2 * uniform


def test_linear_attention_stays_finite_for_long_queries_and_keys():
    generator = torch.Generator().manual_seed(0)
    q, k, v = (100 * torch.randn(2, 12, 16, generator=generator) for _ in range(3))
    q.requires_grad_(True)
    out = linear_attention(q, k, v, torch.randn(32, 16, generator=generator))
    (gradient,) = torch.autograd.grad(out.sum(), q)
    assert out.isfinite().all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["resnet34-cifar", "t2t_vit"])
def test_small_versions_tell_three_digits_apart(name):
    torch.manual_seed(0)
    size = {"image_size": 8} if name == "t2t_vit" else {}
    model = build(SMALL[name] | size, 3)
    pixels, labels = digits(300)
    chosen = labels < 3
    small = np.ascontiguousarray(pixels[chosen][:, :, ::2, ::2])
    feeder = Feeder(small, labels[chosen], HALF, False, 0, False, CPU)
    schedule = {"kind": "cosine_iteration", "warmup_epochs": 1}
    recipe = RECIPE | {"epochs": 8, "lr": 0.02, "schedule": schedule}
    method = standard.build({}, setting(model))
    history = Trainer(model, feeder, method, recipe, 0).run(None, lambda _: None)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.8
