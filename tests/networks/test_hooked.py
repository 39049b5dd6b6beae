"""Networks of others: what hooks read is what the network gives, and what it lacks is told."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from penumbra.errors import PenumbraError
from penumbra.networks.backbones import timm as timm_networks
from penumbra.networks.backbones import torchvision as torchvision_networks
from penumbra.networks.hooked import Hooked

SIDE = 64


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=5).eval()
    ours = torchvision_networks.build(5, "resnet18", image_size=SIDE).eval()
    ours.load_state_dict({ours.own_name(name): tensor for name, tensor in net.state_dict().items()})
    return net, ours


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_it_gives_the_networks_own_logits_features_and_maps(pair, images):
    net, ours = pair
    nodes = [*ours.blocks, "flatten"]
    wanted = create_feature_extractor(net, nodes)(images)
    given = ours.outputs_of(images, (*ours.blocks, "features"))
    assert ours.blocks == tuple(f"layer{i}.{j}" for i in range(1, 5) for j in range(2))
    assert list(given) == [*ours.blocks, "features"]
    for ours_name, node in zip(given, nodes, strict=True):
        assert torch.equal(given[ours_name], wanted[node]), node
    assert torch.equal(ours(images), net(images))
    assert torch.equal(ours.features(images), wanted["flatten"])


@torch.no_grad()
def test_a_level_decides_all_behind_it(pair, images):
    _, ours = pair
    assert ours.levels == ("layer1.1", "layer2.1", "layer3.1", "layer4.1")
    for level in ours.levels:
        value = ours.outputs_of(images, (level,))[level]
        torch.testing.assert_close(ours.onward(level, value), ours(images))
    with pytest.raises(PenumbraError, match=r"unknown level 'layer1\.0'"):
        ours.onward("layer1.0", value)


def test_what_goes_around_a_block_makes_it_no_level():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, 2)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            pooled = [self.first(x).mean((2, 3)), self.second(x).mean((2, 3))]
            return self.head(torch.cat(pooled, 1))

    made = Hooked(Around(), 2, 16, None, None)
    assert made.blocks == ("first", "second")
    assert made.levels == ()


def test_a_map_is_added_at_the_input_alone(pair, images):
    _, ours = pair
    change = torch.full((1, 3, SIDE, SIDE), 0.5)
    with torch.no_grad():
        there = ours(images, ("input", change))
        assert torch.equal(there, ours(images + change))
        assert torch.equal(
            ours.maps(images, ("layer2.0",), ("input", change))["layer2.0"],
            ours.maps(images + change, ("layer2.0",))["layer2.0"],
        )
    with pytest.raises(PenumbraError, match=r"a map at layer1\.0: into this network"):
        ours.maps(images, ("layer2.0",), ("layer1.0", change))


class Small(nn.Module):
    """Changes the output of its block in place, after it, in more than one way."""

    def __init__(self, end=lambda logits: logits):
        super().__init__()
        self.block, self.act = nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.1, inplace=True)
        self.head, self.runs, self.end = nn.Linear(784, 2), 0, end

    def forward(self, x):
        x = self.act(self.block(x))
        x += 1
        self.runs += 1
        return self.end(self.head(nn.functional.relu(x, inplace=True).flatten(1)))


@torch.no_grad()
def test_what_is_read_of_a_block_is_not_changed_behind_it():
    made = Hooked(Small(), 2, 16, ["block"], None).eval()
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made.maps(x, ("block",))["block"], made.net.block(x))
    assert made.levels == ("block",)


@torch.no_grad()
def test_it_runs_no_further_than_the_block():
    made = Hooked(Small(), 2, 16, ["block"], None).eval()
    before, x = made.net.runs, torch.zeros(1, 3, 16, 16)
    made.maps(x, ("block",))
    assert made.net.runs == before
    made.outputs_of(x, ("block", "features"))
    assert made.net.runs == before + 1


@pytest.mark.parametrize("end", [lambda z: z.view(-1, 2) / 2, lambda z: z.softmax(1)])
def test_what_comes_behind_the_last_layer_is_refused(end):
    with pytest.raises(PenumbraError, match="does not end in a linear layer"):
        Hooked(Small(end), 2, 16, None, None)


def test_what_a_network_does_to_its_features_beside_the_last_layer_is_refused():
    class Both(Small):
        def forward(self, x):
            features = self.act(self.block(x)).flatten(1)
            logits = self.head(features)
            return logits if logits.shape[1] == 2 else features * 0

    with pytest.raises(PenumbraError, match="does more to the output of its last layer head"):
        Hooked(Both(), 2, 16, ["block"], None)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet81", {}, "torchvision: unknown network 'resnet81'; did you mean 'resnet18'"),
        ("squeezenet1_0", {}, "does not end in a linear layer"),
        ("vit_b_16", {"image_size": 32}, r"does not take images \(N, 3, 32, 32\).*image_size"),
        ("resnet18", {"blocks": ["layer9"]}, "unknown block 'layer9'"),
        ("resnet18", {"blocks": ["fc"]}, "unknown block 'fc'"),
        ("resnet18", {"last": "layer1.0.conv1"}, "unknown last layer"),
    ],
)
def test_what_is_no_classifier_of_such_images_is_told(name, options, message):
    with pytest.raises(PenumbraError, match=message):
        torchvision_networks.build(5, name, **{"image_size": SIDE, **options})


def test_another_number_of_classes_is_told():
    with pytest.raises(PenumbraError, match=r"gives logits \(2, 7\) of two images, and .* are 5"):
        Hooked(torchvision.models.resnet18(num_classes=7), 5, SIDE, None, None)


def test_half_precision_is_taken_up_as_float(images):
    net = torchvision.models.resnet18(num_classes=5).half()
    assert Hooked(net, 5, SIDE, None, None)(images).dtype == torch.float32


def test_windows_of_tokens_are_no_maps():
    made = torchvision_networks.build(5, "swin_t", image_size=SIDE)
    assert made.blocks == ()


def test_networks_of_timm():
    made = timm_networks.build(5, "mobilenetv3_small_050", image_size=SIDE).eval()
    assert made.last == "classifier"
    assert made.levels[-1] == made.blocks[-1] == "blocks.5.0"
    with pytest.raises(PenumbraError, match=r"timm: unknown network 'resnet1'; .* others$") as told:
        timm_networks.build(5, "resnet1")
    assert "resnet101" in str(told.value)
    assert len(str(told.value)) < 300  # timm has over a thousand networks


class Centred(nn.Module):
    """Takes the mean of the batch from the features."""

    def forward(self, x):
        return x - x.mean(0)


@pytest.mark.parametrize(
    "parts",
    [
        (nn.Flatten(), Centred()),
        (nn.Flatten(), nn.BatchNorm1d(192, track_running_stats=False)),
        (nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten()),
    ],
    ids=["centred", "vectors", "maps"],
)
def test_features_that_hang_on_the_batch_are_refused(parts):
    net = nn.Sequential(*parts, nn.Linear(192, 5))
    with pytest.raises(PenumbraError, match=r"an image other features beside others than alone"):
        Hooked(net, 5, 8, None, None)


class Drawing(nn.Module):
    """Dropout that eval mode does not stop."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5)


def test_a_network_that_draws_at_random_is_told():
    net = nn.Sequential(nn.Flatten(), Drawing(), nn.Linear(192, 5))
    with pytest.raises(PenumbraError, match=r"other logits at each call, also in eval mode"):
        Hooked(net, 5, 8, None, None)


def test_a_network_without_values_is_told():
    with torch.device("meta"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    with pytest.raises(PenumbraError, match=r"on the device meta.*1\.weight"):
        Hooked(net, 5, 4, None, None)


def test_torchscript_is_told():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    net = torch.jit.trace(plain, torch.zeros(1, 3, 4, 4))
    with pytest.raises(PenumbraError, match=r"is TorchScript.*penumbra arrays"):
        Hooked(net, 5, 4, None, None)


def test_of_a_compiled_network_the_modules_are_read(images):
    net = torchvision.models.resnet18(num_classes=5).eval()
    compiled = torch.compile(net, backend="eager")
    plain = torchvision_networks.build(5, "resnet18", image_size=SIDE)
    assert Hooked(compiled, 5, SIDE, None, None).levels == plain.levels
