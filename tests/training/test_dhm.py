"""DHM: a flow that is a density, norms below their bound, and whose gradient goes where."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from penumbra.networks.layers.flow import Flow
from penumbra.networks.probe import Probe
from penumbra.scores import dhm as scorer
from penumbra.training.spectral import LAYERS, SpectralBound
from tests.training.helpers import OPTIONS, digits, trainer

STD = torch.full((1, 3, 1, 1), 0.5)


def flow(width, couplings=4, size=0.7):
    """Far from the identity that it starts as."""
    torch.manual_seed(0)
    made = Flow(width, couplings, 7).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter) * size)
    return made


@pytest.mark.parametrize("width", [2, 5])
def test_log_determinant_is_that_of_the_jacobian(width):
    made = flow(width)
    z = torch.randn(3, width, dtype=torch.float64)
    u, log_det = made(z)
    assert (u - z).abs().max() > 0.1
    for row, found in zip(z, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: made(v[None])[0][0], row)
        assert found.item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item())
    normal = torch.distributions.Normal(0, 1).log_prob(u).sum(1)
    torch.testing.assert_close(made.log_density(z), normal + log_det)


def test_density_integrates_to_one():
    made = flow(2, couplings=3, size=0.4)
    axis = torch.linspace(-15, 15, 601, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        mass = made.log_density(points).exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=0.01)


def test_a_flow_starts_as_nothing_and_comes_back_from_its_tensors():
    z = torch.randn(4, 6)
    u, log_det = Flow(6, 3, 5)(z)
    assert torch.equal(u, z)
    assert log_det.eq(0).all()
    made = flow(6)
    again = Flow.from_state(made.state_dict())
    assert torch.equal(again.log_density(z.double()), made.log_density(z.double()))


def test_norms_are_brought_below_the_bound():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 4), nn.Linear(4, 5))
    with torch.no_grad():
        network[0].weight *= 9
        network[3].weight *= 0.01
    before = network[3].weight.clone()
    bound = SpectralBound(network, 0.7, 1, 0)
    for _ in range(60):
        bound.apply()
    norms = [torch.linalg.svdvals(network[i].weight.flatten(1))[0].item() for i in (0, 2, 3)]
    assert norms[0] == pytest.approx(0.7, rel=1e-3)
    assert max(norms) <= 0.7 * 1.001
    assert torch.equal(network[3].weight, before)
    assert torch.equal(network[1].weight, torch.ones(6))


def test_gradients_of_network_and_flow():
    """The network's are of the loss; the flow's of the mean -log p(z) of a feature."""
    run = trainer("dhm", OPTIONS["dhm"] | {"weight": 0.3})
    method, head = run.method, run.model.fc
    with torch.no_grad():
        for parameter in method.flow.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    z = torch.randn(5, 16, requires_grad=True)
    y = torch.tensor([1, 0, 4, 4, 2])
    loss = method.loss(z, y)
    log_density = method.flow.log_density(z).mean()
    wanted = F.cross_entropy(head(z), y) - 0.3 * log_density
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert method.latest.item() == pytest.approx(log_density.item(), rel=1e-5)
    flow_parameters = [*method.flow.parameters()]
    found = torch.autograd.grad(loss, [z, *head.parameters(), *flow_parameters])
    of_network = torch.autograd.grad(wanted, [z, *head.parameters()], retain_graph=True)
    of_flow = torch.autograd.grad(-log_density / 16, flow_parameters)
    for one, other in zip(found, [*of_network, *of_flow], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_it_learns_classes_and_density_within_the_bound():
    run = trainer("dhm", OPTIONS["dhm"], count=300, epochs=14)
    history = run.run(None, lambda _: None)
    assert history[-1]["accuracy"] > history[0]["accuracy"] + 0.2
    assert history[-1]["log_density"] > history[0]["log_density"] + 1
    weights = [m.weight.flatten(1) for m in run.model.modules() if isinstance(m, LAYERS)]
    norms = [torch.linalg.svdvals(w.detach())[0].item() for w in weights]
    assert max(norms) < 1.2 * 1.05
    assert max(norms) > 1.1
    learned = {k.removeprefix("learned."): v for k, v in run.method.artifacts().items()}
    pixels, _ = digits(20)
    x = torch.from_numpy(pixels) / 127.5 - 1
    with torch.no_grad():
        found = scorer.score(Probe(run.model.eval(), STD, None, learned), x)
        wanted = run.method.flow.log_density(run.model.features(x))
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    noise = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        far = scorer.score(Probe(run.model, STD, None, learned), noise)
    assert far.median() < found.median()
