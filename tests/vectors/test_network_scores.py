"""Conformance of scores that run the network; every array of an expected file must be compared."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from penumbra.networks.base import Classifier
from penumbra.networks.inference import Reader
from penumbra.networks.layers.heads import SIMILARITIES, GodinHead
from penumbra.networks.probe import Probe
from penumbra.scores import (
    adascale,
    ccfn_vit,
    godin,
    mahalanobis_perturbed,
    nac,
    odin,
    pro,
    rankfeat,
    rfw,
)
from tests.vectors.scoring import CPU, HALF, as_double, close, expected, network

SIDES = ("id", "ood")
# Key suffix and whether the network runs in float64.
PRECISIONS = (("", False), ("_f64", True))


class Wanted:
    """An expected file, whose arrays must all be compared before `done`."""

    def __init__(self, folder, name):
        self.arrays, self.name = expected(folder, name), name
        self.unchecked = set(self.arrays.files)

    def __contains__(self, key):
        return key in self.arrays.files

    def take(self, key):
        self.unchecked.discard(key)
        return self.arrays[key]

    def close(self, key, found, rtol=1e-9):
        close(np.asarray(found), self.take(key), rtol)

    def near(self, key, found, atol):
        np.testing.assert_allclose(found, self.take(key), rtol=0, atol=atol, err_msg=self.name)

    def done(self):
        assert not self.unchecked, f"{self.name}: unchecked {sorted(self.unchecked)}"


class Net:
    """The vectors' network as a probe, fed in batches that do not divide the images."""

    def __init__(self, folder, pixels, double):
        model = network(folder, 1)
        self.reader = as_double(model) if double else Reader(model, HALF, None, 128, CPU)
        self.reader.batch_size = 48
        self.probe = Probe(self.reader.model, self.reader.std)
        self.pixels = pixels

    def fitted(self, module, side, **options):
        found = module.fit(self.probe, self.reader.batches(self.pixels[side]), **options)
        self.probe = Probe(self.probe.model, self.probe.std, None, found)
        return self

    def over(self, side, function):
        parts = [function(x).detach() for x in self.reader.batches(self.pixels[side])]
        return torch.cat(parts).double().numpy()

    def score(self, module, side, **options):
        return self.over(side, lambda x: module.score(self.probe, x, **options))


@pytest.fixture
def nets(folder, pixels):
    return {suffix: Net(folder, pixels, double) for suffix, double in PRECISIONS}


def names(folder, pattern):
    found = sorted(path.stem for path in (folder / "expected").glob(pattern))
    return found or pytest.skip(f"this set of vectors has no {pattern}")


def setting(source, name, default=None):
    """A number such as K=3, gamma .1 or o=0.05 in a description."""
    found = re.search(rf"(?:^|[\s(]){name}[= ]([\d.]+)", source)
    return default if found is None else float(found[1])


@pytest.fixture(scope="module")
def sources(folder):
    return json.loads((folder / "expected" / "_sources.json").read_text())


def test_odin(folder, nets):
    for name in names(folder, "odin_T*"):
        wanted = Wanted(folder, name)
        temperature, eps = map(float, re.fullmatch(r"odin_T(.+)_eps(.+)", name).groups())
        for suffix, net in nets.items():
            for side in SIDES:
                found = net.score(odin, side, temperature=temperature, eps=eps)
                wanted.near(side + suffix, found, 1e-9 if suffix else 1e-6)
        wanted.done()


def pro_options(name, source):
    variant = re.match(r"pro_(msp_t|msp|ent|gen)", name)[1]
    found = {key: setting(source, key) for key in ("eps", "gamma")}
    found |= {"steps": int(setting(source, "K")), "temperature": setting(source, "T")}
    found |= {"top": setting(source, "M")}
    known = pro.VARIANTS[variant]
    return {"variant": variant} | {k: v for k, v in found.items() if k in known and v is not None}


def test_pro(folder, nets, sources):
    for name in names(folder, "pro_*"):
        wanted, options = Wanted(folder, name), pro_options(name, sources[name])
        for suffix, net in nets.items():
            for side in SIDES:
                wanted.near(
                    side + suffix, net.score(pro, side, **options), 1e-9 if suffix else 2e-3
                )
        wanted.done()


def godin_head(wanted, similarity):
    classes, width = wanted.take(f"{similarity}_h_weight").shape
    head = GodinHead(width, classes, similarity)
    scale, shift, mean, variance, eps = wanted.take(f"{similarity}_g_bn")
    state = {
        "weight": wanted.take(f"{similarity}_h_weight"),
        "divisor.0.weight": wanted.take(f"{similarity}_g_lin_w"),
        "divisor.0.bias": wanted.take(f"{similarity}_g_lin_b"),
        "divisor.1.weight": [scale],
        "divisor.1.bias": [shift],
        "divisor.1.running_mean": [mean],
        "divisor.1.running_var": [variance],
        "divisor.1.num_batches_tracked": 0,
    }
    if f"{similarity}_h_bias" in wanted:
        state["bias"] = wanted.take(f"{similarity}_h_bias")
    head.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
    assert head.divisor[1].eps == pytest.approx(eps)
    return head.eval()


def test_godin(folder, arrays, pixels):
    wanted = Wanted(folder, "godin")
    std = torch.tensor([63.0, 62.1, 66.7]).reshape(1, 3, 1, 1) / 255  # of the code that made them
    for similarity in SIMILARITIES:
        net, head = Net(folder, pixels, double=False), godin_head(wanted, similarity)
        net.probe.model.fc = head
        for side in SIDES:
            z = torch.from_numpy(arrays[f"{side}_features"])
            for key, found in (("logits", head(z)), ("h", head.h(z)), ("g", head.g(z))):
                wanted.close(f"{similarity}_{side}_{key}", found.detach().numpy(), 1e-5)
        for key in sorted(k for k in wanted.unchecked if k.startswith(f"{similarity}_")):
            side, of, eps = re.fullmatch(r"\w+_(id|ood)_score_(h|g|logit)_eps(.+)", key).groups()
            fitted = {f"eps_{of}": torch.tensor([float(eps)])}
            net.probe = Probe(net.probe.model, std, None, fitted)
            # A step takes signs of gradients, some of which are rounding errors in float32.
            wanted.close(key, net.score(godin, side, of=of), 1e-4 if float(eps) else 1e-5)
    for side in SIDES:
        same = [key for key in wanted.arrays.files if key.startswith(f"cosine_{side}_score_h_eps")]
        assert any(np.array_equal(wanted.take(side), wanted.arrays[key]) for key in same)
    wanted.done()


def test_adascale(folder, nets, sources):
    for name in names(folder, "adascale_*"):
        wanted, source = Wanted(folder, name), sources[name]
        low, high = map(float, re.search(r"percentile=\[(\d+),(\d+)\]", source).groups())
        options = {
            "k_correction": setting(source, "k1"),
            "k_shift": setting(source, "k2"),
            "weight": setting(source, "lambda"),
            "inputs": 100 * setting(source, "o"),
        }
        for suffix, net in nets.items():
            net.fitted(adascale, "val", **options)
            fitted = net.probe.fitted

            def percentile(x, net=net, fitted=fitted, ends=(low, high)):
                z, _, after = adascale.perturbed(net.probe, x, fitted["steps"])
                return adascale.percentile(fitted, z, after, *ends)

            for side in SIDES:
                form = name.removeprefix("adascale_")
                found = net.score(adascale, side, form=form, low=low, high=high)
                loose = 1e-4 if form == "a" else 1e-3
                wanted.close(side + suffix, found, 1e-9 if suffix else loose)
                # One place in the order of the fitted images is (high - low) / 100 of a percentile.
                step = (high - low) / len(fitted["support"])
                atol = 1e-9 if suffix else 1.01 * step
                wanted.near(f"percentile_{side}{suffix}", net.over(side, percentile), atol)
        wanted.done()


def test_rankfeat(folder, nets):
    wanted = Wanted(folder, "rankfeat")
    for suffix, net in nets.items():
        for side in SIDES:
            wanted.close(side + suffix, net.score(rankfeat, side), 1e-9 if suffix else 1e-5)
    wanted.done()


def energy_of_weights(net, x):
    """RankWeight without RankFeat."""

    class Whole(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return torch.logsumexp(self.model(x), 1)

    return torch.func.functional_call(Whole(net.probe.model), net.probe.fitted, (x,))


def test_rfw(folder, nets):
    wanted = Wanted(folder, "rfw")
    for suffix, net in nets.items():
        net.fitted(rfw, "train")
        rtol = 1e-9 if suffix else 1e-5
        for side in SIDES:
            found = {
                "": net.score(rfw, side),
                "_rankweight_only": net.over(side, lambda x, net=net: energy_of_weights(net, x)),
            }
            for kind, values in found.items():
                wanted.close(f"{side}{kind}_svd{suffix}", values, rtol)
                # The official power iteration starts at random and has not converged.
                wanted.close(f"{side}{kind}_power100{suffix}", values, 1e-3)
        check_weights(wanted, net, suffix)
    for side in SIDES:
        assert np.array_equal(wanted.take(side), wanted.arrays[f"{side}_svd"])
    wanted.done()


def check_weights(wanted, net, suffix):
    model, rtol = net.probe.model, 1e-9 if suffix else 1e-5
    for name in model.last_weights:
        own, rest = model.get_parameter(name).detach(), net.probe.fitted[f"model.{name}"]
        short = name.split(".")[-2]
        if not suffix:
            wanted.close(f"{short}_minus_rank1", rest.numpy(), rtol)
        if short == "conv2":
            removed = (own - rest).double().norm()
            left = torch.linalg.svdvals(rest.flatten(1).double())[:2]
            found = torch.cat([removed[None], left]).numpy()
            wanted.close(f"conv2_singular_values_first3{suffix}", found, rtol)


def nac_layers(source):
    """Settings with this project's names of layers and parameters."""
    layers = json.loads(source[source.index("{") :])
    return {
        key.replace("avgpool", "features").replace("layer", "level"): {
            "full": own["O"], "bins": own["M"], "alpha": own["sig_alpha"],
        }
        for key, own in layers.items()
    }  # fmt: skip


def test_nac(folder, nets, sources):
    for name in names(folder, "nac_*"):
        wanted, layers = Wanted(folder, name), nac_layers(sources[name])
        for suffix, net in nets.items():
            fitted = net.fitted(nac, "train", layers=layers).probe.fitted
            for side in SIDES:
                # The official sum is a float32 one in either precision.
                wanted.near(side + suffix, net.score(nac, side), 1e-6 if suffix else 2e-3)
            for layer in layers:
                theirs = layer.replace("features", "avgpool").replace("level", "layer")
                counts = fitted[f"{layer}.counts"].numpy()
                # In float32 a few neurons change their bin.
                wanted.near(f"counts_{theirs}{suffix}", counts, 0 if suffix else 3)
                close(fitted[f"{layer}.edges"].numpy(), wanted.take(f"thresh_{theirs}"), 1e-6)
        wanted.done()


def test_thresholds_of_nac_are_exact(folder):
    for name in names(folder, "nac_*"):
        wanted = expected(folder, name)
        for key in (key for key in wanted.files if key.startswith("thresh_")):
            close(nac.edges(len(wanted[key])).numpy(), wanted[key], 1e-15)


def test_defaults_of_nac_are_the_published_ones(sources):
    assert nac_layers(sources["nac_4layers"]) == nac.LAYERS


class Tokens(Classifier):
    """A head on tokens that are given as images of one channel (N, 1, L, D)."""

    blocks, levels, last_weights, positions = (), (), (), {}

    def __init__(self, weight, bias):
        super().__init__()
        self.fc = nn.Linear(*weight.shape[::-1]).double()
        self.fc.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})

    def places(self):
        return [("norm", lambda x: x[:, 0]), ("feature", lambda x: x[:, 0])]


def as_images(tokens):
    return torch.from_numpy(tokens).double().unsqueeze(1)


def test_ccfn_vit(folder):
    wanted = Wanted(folder, "ccfn_vit")
    model = Tokens(wanted.take("fc_weight"), wanted.take("fc_bias"))
    train = as_images(wanted.take("train_tokens"))
    dim = int(wanted.take("principal_dim"))
    fitted = ccfn_vit.fit(Probe(model, None), train.split(70), dim)
    wanted.close("origin_u", fitted["origin"].numpy())
    probe = Probe(model, None, None, fitted)
    for side in SIDES:
        x = as_images(wanted.take(f"{side}_tokens"))
        found = {gate: ccfn_vit.score(probe, x, gate).numpy() for gate in ccfn_vit.GATES}
        for gate, values in found.items():
            wanted.close(f"{side}_{gate}", values)
        wanted.close(side, found[ccfn_vit.GATES[0]])
    wanted.done()


def test_mahalanobis_with_input_noise(folder, arrays, nets):
    for name in names(folder, "mahalanobis_noise*"):
        wanted, eps = Wanted(folder, name), float(name.removeprefix("mahalanobis_noise"))
        own = {"features": arrays["train_features"], "labels": arrays["train_labels"]}
        for net in nets.values():
            fitted = mahalanobis_perturbed.fit(own)
            kind = net.reader.mean.dtype
            fitted = {key: torch.from_numpy(value).to(kind) for key, value in fitted.items()}
            net.probe = Probe(net.probe.model, net.probe.std, None, fitted)
            for side in SIDES:
                # The official covariance is a float32 one.
                wanted.close(side, net.score(mahalanobis_perturbed, side, eps=eps), 2e-3)
        wanted.done()
