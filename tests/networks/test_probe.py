"""The probe and what it needs of networks: levels, running onward from a place, GODIN's head."""

from typing import get_args

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build, restore, statistics
from penumbra.networks.layers.heads import GodinHead
from penumbra.networks.probe import Probe, sign, slope
from penumbra.options.head import Similarity

SMALL = {
    "resnet18": {"network": "resnet", "layers": 18, "width": 4, "stem": "fn"},
    "resnet34": {"network": "resnet", "layers": 34, "width": 2},
    "resnet50": {"network": "resnet", "layers": 50, "width": 4},
    "resnet101": {"network": "resnet", "layers": 101, "width": 2},
    "wrn": {"depth": 10, "widen": 1},
    "vgg11": {"width": 4},
    "t2t_vit": {"image_size": 32, "depth": 2, "width": 24, "heads": 2, "stem": "cifar"},
    "vit": {"image_size": 32, "patch": 4, "depth": 2, "width": 24, "heads": 2, "mlp": 48},
}
STD = torch.full((1, 3, 1, 1), 0.5)


@pytest.fixture(params=SMALL)
def model(request):
    torch.manual_seed(0)
    return build({"network": request.param, **SMALL[request.param]}, 7).eval()


def images(count=2):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_rest_of_the_network_gives_its_logits(model):
    """From any place, and wherever a map was added before or is added after it."""
    x, places = images(), tuple(name for name, _ in model.places())
    for position in ("none", "input", *model.positions):
        perturb = None
        if position != "none":
            place = model.place(position)
            perturb = (place, torch.full(model.shape_at(place, (3, 32, 32)), 0.1))
        probe = Probe(model, STD, perturb)
        outputs = probe.outputs_of(x, places)
        assert tuple(outputs) == places
        assert torch.equal(outputs[places[-1]], probe.features(x))
        for place, value in outputs.items():
            assert torch.equal(probe.onward(place, value), probe.logits(x)), (position, place)


def test_reading_stops_after_the_last_step_asked_for(model):
    model.fc = None
    first, second = (name for name, _ in model.places()[:2])
    ran = []
    places = [(name, lambda x, name=name: ran.append(name) or x) for name, _ in model.places()]
    model.places = lambda: places
    assert list(model.outputs_of(images(), (second, first))) == [first, second]
    assert ran == [first, second]


def test_unknown_steps_are_refused(model):
    name = model.places()[1][0]
    for call in (lambda: model.outputs_of(images(), ("last",)), lambda: model.onward("last", 0)):
        with pytest.raises(PenumbraError, match=f"unknown place 'last'.*{name}"):
            call()


def test_stages_halve_the_map_or_are_layers(model):
    outputs = model.outputs_of(images(), model.levels)
    if outputs[model.levels[0]].ndim == 3:
        assert [value.shape for value in outputs.values()] == [(2, 65, 24)] * 2
        return
    assert len(outputs) == {"WideResNet": 3, "VGG11": 5}.get(type(model).__name__, 4)
    last = outputs[model.levels[-1]]
    assert last.min() >= 0
    if hasattr(model, "hidden"):  # VGG's linear layers lie between
        return
    assert torch.allclose(last.mean((2, 3)), model.features(images()))


def test_last_weights_are_of_convolutions(model):
    for name in model.last_weights:
        assert model.get_parameter(name).ndim == 4
    assert len(model.last_weights) == (0 if model.blocks == () else 2)


def test_gradient_is_that_of_each_image(model):
    probe, x = Probe(model, STD), images(3)
    found = probe.gradient(x, lambda logits: logits[:, 2])
    assert found.shape == x.shape
    own = x[1:2].clone().requires_grad_()
    model(own)[0, 2].backward()
    assert torch.allclose(found[1:2], own.grad, atol=1e-5 * found.abs().max().item())


def test_slope_and_sign():
    x = torch.tensor([[1.0, -2.0, 0.0]])
    found = slope(x, lambda inputs: inputs.square().sum(1))
    assert found.tolist() == [[2, -4, 0]]
    assert sign(found).tolist() == [[1, -1, 1]]
    assert not x.requires_grad


@pytest.mark.parametrize("name", ["t2t_vit", "vit"])
def test_all_tokens_are_normalised_as_the_class_token_alone(name):
    model = build({"network": name, **SMALL[name]}, 7).eval()
    outputs = model.outputs_of(images(), ("layers.1", "norm"))
    norm = dict(model.places())["norm"]
    assert torch.equal(norm(outputs["layers.1"][:, 0]), model.features(images()))
    assert torch.equal(outputs["norm"][:, 0], model.features(images()))


def test_unbiased_variance():
    maps = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    found = statistics(maps, ("var", "var_unbiased"))
    assert torch.allclose(found["var_unbiased"], found["var"] * 24 / 23)
    assert statistics(maps[..., :1, :1], ("var_unbiased",))["var_unbiased"].eq(0).all()


@pytest.mark.parametrize("similarity", get_args(Similarity))
def test_head_of_godin(similarity):
    torch.manual_seed(0)
    config = {
        "network": "resnet",
        "layers": 18,
        "width": 2,
        "stem": "fn",
        "head": {"similarity": similarity},
    }
    model = build(config, 7)
    x, z = images(4), model.features(images(4)).detach()
    assert model(x).shape == (4, 7)  # in training mode, which moves BN's statistics
    state = {f"model.{name}": value.clone() for name, value in model.state_dict().items()}
    assert state["model.fc.weight"].shape == (7, 16)
    assert ("model.fc.bias" in state) == (similarity == "inner")
    again = restore(config, 7, state).eval()
    assert torch.equal(again(x), model.eval()(x))
    head = again.fc
    assert torch.allclose(again(x), head.h(again.features(x)) / head.g(again.features(x)))
    assert ((head.g(z) > 0) & (head.g(z) < 1)).all()
    own = {
        "cosine": lambda w: torch.cosine_similarity(z[:, None], w[None], dim=2),
        "inner": lambda w: z @ w.T + head.bias,
        "euclid": lambda w: -(z[:, None] - w).square().mean(2),
    }[similarity](head.weight)
    assert torch.allclose(head.h(z), own, rtol=1e-3, atol=1e-4)
    assert head(z * 0).isfinite().all()


def test_godins_divisor_and_similarity_learn():
    torch.manual_seed(0)
    for similarity in get_args(Similarity):
        head = GodinHead(6, 3, similarity)
        z, y = torch.randn(60, 6).relu(), torch.arange(60) % 3
        z[torch.arange(60), y] += 2
        optimiser = torch.optim.SGD(head.parameters(), 0.5)
        losses = []
        for _ in range(40):
            loss = torch.nn.functional.cross_entropy(head(z), y)
            optimiser.zero_grad()
            loss.backward()
            for name, parameter in head.named_parameters():
                # BN takes away whatever is added before it.
                assert name == "divisor.0.bias" or parameter.grad.abs().max() > 1e-6, name
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0], similarity


def test_unknown_similarity():
    with pytest.raises(PenumbraError, match="the recipe's head: unknown similarity 'dot'"):
        build({"network": "wrn", "depth": 10, "widen": 1, "head": {"similarity": "dot"}}, 7)
