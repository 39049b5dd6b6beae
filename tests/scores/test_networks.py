"""Scores that run the network: every backbone, maps, batches, and what has no activity."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.evaluation.probing import autograd
from penumbra.networks.inference import build
from penumbra.networks.probe import Probe
from penumbra.planning.needs import declared
from penumbra.plugins import load
from penumbra.scores import adascale, godin, nac, odin, pro, rankfeat, rfw

BACKBONES = {
    "resnet18": {"network": "resnet", "layers": 18, "width": 4, "stem": "fn"},
    "resnet50": {"network": "resnet", "layers": 50, "width": 4, "stem": "cifar"},
    "wrn": {"depth": 10, "widen": 1},
    "vgg11": {"width": 4},
    "t2t_vit": {"image_size": 32, "depth": 3, "width": 24, "heads": 2, "stem": "cifar"},
    "vit": {"image_size": 32, "patch": 8, "depth": 3, "width": 24, "heads": 2, "mlp": 48},
}
SCORERS = (
    "odin", "pro", "godin", "adascale", "mahalanobis_perturbed", "rankfeat", "rfw", "nac",
    "ccfn_vit",
)  # fmt: skip
TOKENS = ("t2t_vit", "vit")
ABSENT = {
    *(("rfw", name) for name in TOKENS),
    *(("ccfn_vit", name) for name in BACKBONES if name not in TOKENS),
}
PAIRS = [(s, b) for b in BACKBONES for s in SCORERS if (s, b) not in ABSENT]
CLASSES = 3
TOLERANCE = {
    torch.float64: {"rtol": 1e-9, "atol": 1e-12},
    torch.float32: {"rtol": 1e-3, "atol": 1e-5},
}
STD = torch.tensor([0.5, 0.25, 0.4], dtype=torch.float64).reshape(1, 3, 1, 1)


def kind(backbone):
    """In float64 no gradient's sign is a rounding error; Performers compute in float32 alone."""
    return torch.float32 if backbone == "t2t_vit" else torch.float64


def images(count, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 3, 32, 32, generator=generator) * 2 - 1).to(dtype)


def network(backbone, head=None):
    torch.manual_seed(0)
    config = {"network": backbone, **BACKBONES[backbone]} | ({"head": head} if head else {})
    model = build(config, CLASSES).to(kind(backbone))
    model.train()
    with torch.no_grad():
        model(
            images(16, 7, kind(backbone))
        )  # statistics of BN, so that activity neither dies nor explodes
    return model.eval()


def probe_of(scorer, backbone, perturb=None, model=None):
    """The network with the scorer fitted on 12 images of three classes."""
    head = {"similarity": "cosine"} if scorer == "godin" else None
    dtype = kind(backbone)
    probe = Probe(model or network(backbone, head), STD.to(dtype), perturb)
    found = fit(scorer, probe, images(12, 1, dtype))
    found = {name: value.to(dtype) for name, value in found.items()}
    return Probe(probe.model, probe.std, perturb, found)


def fit(scorer, probe, x):
    module, wanted = load("scores", scorer), declared(scorer).fit
    if wanted is None:
        return {}
    if "labels" not in wanted:
        with autograd(wanted):
            return module.fit(probe, x.split(5))
    with torch.inference_mode():
        z = probe.features(x).numpy()
    found = module.fit({"features": z, "labels": np.arange(len(z)) % CLASSES})
    return {name: torch.tensor(value) for name, value in found.items()}


def score(scorer, probe, x, **options):
    with autograd(declared(scorer).needs):
        return load("scores", scorer).score(probe, x, **options).detach()


@pytest.mark.parametrize(("scorer", "backbone"), PAIRS)
def test_an_image_scores_alike_in_any_batch_and_leaves_the_network_alone(scorer, backbone):
    probe, x = probe_of(scorer, backbone), images(5, 2, kind(backbone))
    before = {name: value.clone() for name, value in probe.model.state_dict().items()}
    together = score(scorer, probe, x)
    assert together.shape == (5,)
    assert together.isfinite().all()
    assert together.std() > 0
    alone = torch.cat([score(scorer, probe, part) for part in x.split(1)])
    assert torch.allclose(together, alone, **TOLERANCE[kind(backbone)])
    after = probe.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(parameter.grad is None for parameter in probe.model.parameters())


@pytest.mark.parametrize(("scorer", "backbone"), PAIRS)
def test_constant_images_and_a_map(scorer, backbone):
    """A map at the input is what it is to score images that it was added to."""
    dtype = kind(backbone)
    map_ = 0.1 * images(1, 3, dtype)
    with_map = probe_of(scorer, backbone, ("input", map_))
    constant = torch.tensor([0, 0.7], dtype=dtype).reshape(2, 1, 1, 1).expand(2, 3, 32, 32)
    x = torch.cat([images(3, 2, dtype), constant])
    found = score(scorer, with_map, x)
    assert found.isfinite().all()
    bare = Probe(with_map.model, with_map.std, None, with_map.fitted)
    assert torch.allclose(found, score(scorer, bare, x + map_), **TOLERANCE[dtype])
    assert not torch.allclose(found, score(scorer, bare, x), rtol=1e-6)
    assert score(scorer, bare, constant).isfinite().all()


@pytest.mark.parametrize("scorer", [s for s in SCORERS if s != "ccfn_vit"])
def test_maps_inside_the_network(scorer):
    model = network("resnet18", {"similarity": "inner"} if scorer == "godin" else None)
    for position in model.positions:
        step = model.place(position)
        map_ = torch.full(model.shape_at(step, (3, 32, 32)), 0.5, dtype=torch.float64)
        probe = probe_of(scorer, "resnet18", (step, map_), model)
        assert not torch.allclose(
            score(scorer, probe, images(3)),
            score(scorer, Probe(model, STD, None, probe.fitted), images(3)),
        )


@pytest.mark.parametrize("scorer", [s for s in SCORERS if s != "ccfn_vit"])
def test_a_network_without_any_activity(scorer):
    """All features are 0, as after a collapse: no scorer makes NaN of it, even fitted before."""
    probe = probe_of(scorer, "resnet18")
    with torch.no_grad():
        probe.model.layer4[1].bn2.bias.fill_(-1e3)
    assert probe.features(images(2)).eq(0).all()
    found = score(scorer, probe, images(4))
    assert found.isfinite().all()
    if scorer != "mahalanobis_perturbed":  # which does not fit to features that do not vary
        again = Probe(probe.model, STD, None, fit(scorer, probe, images(6)))
        assert score(scorer, again, images(4)).isfinite().all()


def test_networks_that_a_scorer_cannot_take():
    for scorer, backbone, message in (
        ("rfw", "t2t_vit", "T2TViT has no last convolutions.*rankfeat"),
        ("ccfn_vit", "vgg11", "VGG11 has no tokens.*ccfn"),
        ("godin", "wrn", r"train one by a recipe with head: \{similarity: cosine\}"),
    ):
        with pytest.raises(PenumbraError, match=message):
            fit(scorer, Probe(network(backbone), STD), images(2, 0, kind(backbone)))


def test_options_that_are_not_there():
    plain = Probe(network("wrn"), STD)
    for scorer, options, message in (
        ("pro", {"variant": "mps"}, "unknown variant 'mps'; did you mean 'msp'"),
        ("pro", {"variant": "ent", "gamma": 0.1}, "unknown parameter 'gamma'.*valid: eps, steps"),
        ("adascale", {"form": "b"}, "unknown form 'b'"),
        ("godin", {"of": "H"}, "unknown of 'H'"),
    ):
        with pytest.raises(PenumbraError, match=message):
            score(scorer, plain, images(1), **options)
    with pytest.raises(PenumbraError, match=r"unknown layer 'level4'.*level3"):
        nac.fit(plain, [], {"level4": {"full": 1, "bins": 10, "alpha": 1}})
    with pytest.raises(PenumbraError, match="layer features: no alpha"):
        nac.fit(plain, [], {"features": {"full": 1, "bins": 10}})
    tokens = probe_of("ccfn_vit", "t2t_vit")
    with pytest.raises(PenumbraError, match="unknown gate 'max'"):
        score("ccfn_vit", tokens, images(1).float(), gate="max")
    with pytest.raises(PenumbraError, match="dim 24 leaves none of 24 features"):
        load("scores", "ccfn_vit").fit(tokens, [images(2).float()], dim=24)


def test_odin_without_a_step_is_the_largest_probability():
    probe, x = Probe(network("vgg11"), STD), images(4)
    wanted = torch.softmax(probe.logits(x) / 5, 1).amax(1)
    assert torch.allclose(odin.score(probe, x, temperature=5, eps=0.0), wanted)
    assert (odin.score(probe, x, temperature=5, eps=1e-3) > wanted).all()


@pytest.mark.parametrize("variant", pro.VARIANTS)
def test_pro_takes_the_least_of_a_descent(variant):
    probe, x = Probe(network("resnet18"), STD), images(6)
    own = {k: v for k, v in pro.VARIANTS[variant].items() if k not in ("steps", "eps")}
    start = pro.confidence(probe.logits(x), variant, **own).detach()
    found = [pro.score(probe, x, variant=variant, steps=steps, eps=0.01) for steps in range(4)]
    assert torch.allclose(found[0], start)
    for more, fewer in zip(found[1:], found, strict=False):
        assert (more <= fewer).all()
    assert (found[1] < start).any()


def test_godin_takes_the_step_of_the_largest_mean():
    probe, x = probe_of("godin", "wrn"), images(12, 1)
    for of in godin.OF:
        steps = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
        found = []
        for eps in steps:
            chosen = {f"eps_{of}": torch.tensor([eps])}
            found.append(godin.score(Probe(probe.model, STD, None, chosen), x, of).mean().item())
        assert probe.fitted[f"eps_{of}"].item() == pytest.approx(steps[int(np.argmax(found))])
    only = godin.fit(probe, [x], eps=[0.005])
    assert {value.item() for value in only.values()} == {0.005}


def test_adascale_ranks_an_image_as_its_fit_did():
    probe, x = probe_of("adascale", "resnet50"), images(12, 1)
    z, _, after = adascale.perturbed(probe, x, probe.fitted["steps"])
    found = adascale.percentile(probe.fitted, z, after, 60, 84)
    assert found.sort().values.tolist() == pytest.approx(list(range(60, 84, 2)))
    assert (probe.fitted["steps"] == 0.5).sum() == int(3 * 32 * 32 * 0.05)
    # 5 % and 1 % of 128 units, and one of 24, of which 1 % is less.
    assert [int((probe.fitted[key] > 0).sum()) for key in ("corrections", "shifts")] == [6, 1]
    few = probe_of("adascale", "t2t_vit").fitted
    assert [int((few[key] > 0).sum()) for key in ("corrections", "shifts")] == [1, 1]


def test_ratio_of_adascale():
    z = torch.tensor([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [8.0, -1.0, 0.0, -2.0]])
    found = adascale.ratio(z, torch.tensor([50.0, 50.0, 100.0]))
    assert found.tolist() == pytest.approx([10 / 7, 1, 1])
    assert adascale.ratio(z[:1], torch.tensor([0.0])).tolist() == [1]


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6), (1, 4), (4, 1)])
def test_rank1_part_is_that_of_the_decomposition(shape):
    matrices = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0)).double()
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    wanted = matrices - s[:, :1, None] * u[:, :, :1] @ v[:, :1]
    assert torch.allclose(rankfeat.without_rank1(matrices), wanted, atol=1e-9)


def test_rank1_part_of_what_has_no_single_one():
    assert rankfeat.without_rank1(torch.zeros(2, 4, 6)).eq(0).all()
    tiny = torch.full((2, 4, 6), 1e-15)
    assert rankfeat.without_rank1(tiny).abs().max() < 1e-20
    twin = torch.diag(torch.tensor([3.0, 3.0, 1.0]))
    left = torch.linalg.svdvals(rankfeat.without_rank1(twin))
    assert left.tolist() == pytest.approx([3, 1, 0], abs=1e-6)


def test_rankweight_strips_the_last_two_convolutions():
    for backbone in ("resnet18", "resnet50", "wrn", "vgg11"):
        probe = Probe(network(backbone), STD)
        found = rfw.fit(probe, iter(()))  # of the weights alone
        names = [name.removeprefix("model.") for name in found]
        assert tuple(names) == probe.model.last_weights
        convolutions = [n for n, w in probe.model.named_parameters() if w.ndim == 4]
        inside = [n for n in convolutions if "shortcut" not in n and "downsample" not in n]
        assert names == inside[:-3:-1]
        for name, weight in zip(names, found.values(), strict=True):
            whole = torch.linalg.svdvals(probe.model.get_parameter(name).flatten(1))
            assert torch.allclose(torch.linalg.svdvals(weight.flatten(1))[:-1], whole[1:])


def test_nac_knows_what_it_counted():
    layers = {
        name: {"full": 1, "bins": bins, "alpha": 10.0}
        for name, bins in (("features", 50), ("level2", 11))
    }
    probe, x = Probe(network("resnet18"), STD), images(6)
    fitted = nac.fit(probe, x.split(4), layers)
    assert fitted["level2.counts"].shape == (9, 8)
    assert fitted["features.counts"].sum(0).eq(6).all()
    probe = Probe(probe.model, STD, None, fitted)
    assert nac.score(probe, x).eq(1).all()
    unknown = nac.score(probe, images(6, 9))
    assert (unknown < 1).all()
    assert (unknown >= 0).all()


@pytest.mark.parametrize("size", [1.0, 50.0, 1e4])
@pytest.mark.parametrize("variant", ["gen", "msp", "msp_t", "ent"])
def test_pro_of_certain_networks_has_finite_steps(variant, size):
    """Where p is 1, or 0, to the last digit."""
    model = network("resnet18")
    with torch.no_grad():
        model.fc.weight.mul_(size)
    probe = Probe(model, STD.to(torch.float64))
    x = images(3, 2, torch.float64)
    found = score("pro", probe, x, variant=variant)
    assert found.isfinite().all()
    assert not torch.equal(probe.gradient(x, lambda logits: logits.amax(1)), torch.zeros_like(x))


def test_generalised_entropy_is_its_formula():
    logits = torch.randn(6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p = torch.softmax(logits, 1).sort(1, descending=True).values[:, :4]
    wanted = -(p**0.3 * (1 - p) ** 0.3).sum(1)
    found = load("scores", "pro").confidence(logits, "gen", gamma=0.3, top=4)
    assert torch.allclose(found, wanted, rtol=1e-12)


def test_nac_needs_bins_between_its_ends():
    layers = {"features": {"full": 5, "bins": 3, "alpha": 1.0}}
    probe = Probe(network("resnet18"), STD.to(torch.float64))
    with pytest.raises(PenumbraError, match="layer features: bins is 3, not at least 4"):
        load("scores", "nac").fit(probe, images(4, 1, torch.float64).split(2), layers=layers)
