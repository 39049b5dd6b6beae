"""The RDM by its published names, its schedule, and its moving average."""

import pytest
import torch
from diffusers import DDIMScheduler

from penumbra.errors import PenumbraError
from penumbra.networks.generative import moco
from penumbra.networks.generative.diffusion import Schedule
from penumbra.networks.generative.rdm import Rdm
from tests.networks.helpers import digest

SMALL = {
    "representation": 12, "width": 16, "time": 8, "blocks": 3, "bottleneck": 20, "context": 10,
    "classes": 5,
}  # fmt: skip
ENCODERS = {
    "b": {"width": 768, "depth": 12, "heads": 12},
    "l": {"width": 1024, "depth": 24, "heads": 16},
}
# (encoder, conditional) -> entries and digest of the published state dict.
PUBLISHED = {
    (None, False): (275, "8baeea3450de4d521825a5e0e3f681fa7a230e1f14113154b55e977dea60c082"),
    (None, True): (323, "a4c3acac948f9655e12fa43830e27145697dc8d411a0ce9153e24b2a2809e517"),
    ("b", False): (441, "d43200034625ee85f12778db1960db1b1a4804955f3c2113d8787cdffc81bec9"),
    ("b", True): (489, "cc4796590ce892da34f27d3e64b3f700e4a1eb8700d66d977fb82bc184b960a5"),
    ("l", False): (585, "a6a04aa74d27e84ea104c69c784c1aa509f122e990534b847f8422f5545d9e31"),
    ("l", True): (633, "03525acd0400df50b3e0502e9f91284e4582f0e4b9db60310001811aea5e987b"),
}


def small(seed=0, **options):
    """A small RDM all of whose weights, EMA and raw, differ from zero and from each other."""
    torch.manual_seed(seed)
    rdm = Rdm(**SMALL | options)
    with torch.no_grad():
        for parameter in rdm.parameters():
            parameter.normal_(std=0.3)
        for name, buffer in rdm.model_ema.named_buffers():
            if name.startswith("diffusion_model"):
                buffer.normal_(std=0.3)
    return rdm


@pytest.fixture(scope="module")
def published():
    """The published RDMs without an encoder, by whether they are conditional."""
    return {conditional: Rdm(conditional=conditional) for conditional in (False, True)}


@pytest.mark.parametrize(("encoder", "conditional"), PUBLISHED)
def test_names_shapes_and_types_are_the_published_ones(published, encoder, conditional):
    with torch.device("meta"):
        built = moco.build(**ENCODERS[encoder]) if encoder else None
    published[conditional].pretrained_encoder = built
    state = published[conditional].state_dict()
    assert (len(state), digest(state)) == PUBLISHED[encoder, conditional]


@pytest.mark.parametrize(("conditional", "millions"), [(False, 62.72), (True, 72.18)])
def test_published_size(published, conditional, millions):
    count = sum(p.numel() for p in published[conditional].network.parameters())
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("conditional", [False, True])
def test_all_sizes_follow_from_the_state(conditional):
    rdm = small(conditional=conditional)
    again = Rdm.from_state(rdm.state_dict())
    assert again.conditional == conditional
    assert all(
        torch.equal(a, b)
        for a, b in zip(rdm.state_dict().values(), again.state_dict().values(), strict=True)
    )
    z, t, labels = torch.randn(4, 12), torch.tensor([0, 7, 500, 999]), torch.arange(4)
    assert torch.equal(rdm(z, t, labels), again(z, t, labels))


def test_what_published_files_may_lack_is_not_asked_for():
    state = small().state_dict()
    lean = {name: value for name, value in state.items() if name.startswith("model")}
    again = Rdm.from_state(lean).state_dict()
    assert all(torch.equal(again[name], value) for name, value in lean.items())
    assert torch.equal(again["posterior_variance"], state["posterior_variance"])


def test_the_files_own_schedule_counts():
    state = dict(small().state_dict())
    other = Schedule.scaled_linear(0.001, 0.01, 100)
    state |= {name: table.float() for name, table in other.tables.items()}
    with pytest.raises(PenumbraError, match=r"of another shape: alphas_cumprod is \(100,\)"):
        Rdm.from_state(state)
    other = Schedule.scaled_linear(0.001, 0.01)
    state |= {name: table.float() for name, table in other.tables.items()}
    found = Rdm.from_state(state).schedule.at("alphas_cumprod", 300)
    assert found == pytest.approx(other.at("alphas_cumprod", 300), rel=1e-6)


def test_an_encoder_is_kept_frozen_and_in_eval_mode():
    encoder = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    rdm = small(encoder=encoder)
    assert not rdm.train().pretrained_encoder.training
    assert not any(p.requires_grad for p in rdm.pretrained_encoder.parameters())
    state = rdm.state_dict()
    assert "pretrained_encoder.1.running_mean" in state
    bare = Rdm.from_state(state).state_dict()
    assert not any(name.startswith("pretrained_encoder") for name in bare)
    empty = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    kept = Rdm.from_state(state, empty)
    assert torch.equal(kept.pretrained_encoder[0].weight, encoder[0].weight)


def test_without_ema_it_is_refused():
    state = small().state_dict()
    raw = {name: value for name, value in state.items() if not name.startswith("model_ema")}
    with pytest.raises(PenumbraError, match=r"no EMA weights \(model_ema"):
        Rdm.from_state(raw)
    del state["model_ema.diffusion_modelinput_projbias"]
    with pytest.raises(PenumbraError, match=r"missing: model_ema\.diffusion_modelinput_projbias"):
        Rdm.from_state(state)
    with pytest.raises(PenumbraError, match=r"time_embed\.0\.weight is missing"):
        Rdm.from_state({"state_dict": torch.zeros(1)})


def test_sampling_weights_are_the_ema_ones():
    rdm = small()
    denoiser = rdm.ema_denoiser()
    wanted = rdm.model_ema.average("diffusion_model.res_blocks.1.out_layers.3.weight")
    assert torch.equal(denoiser.state_dict()["res_blocks.1.out_layers.3.weight"], wanted)
    assert not any(p.requires_grad for p in denoiser.parameters())
    z, t = torch.randn(3, 12), torch.tensor([5, 50, 500])
    assert not torch.allclose(denoiser(z, t), rdm(z, t))


def test_moving_average_follows_the_published_decay():
    rdm = small()
    name = "diffusion_model.input_proj.weight"
    wanted = rdm.model_ema.average(name).double().clone()
    for n in range(1, 6):
        with torch.no_grad():
            rdm.network.input_proj.weight.add_(1)
        rdm.model_ema.update(rdm.model)
        decay = min(0.9999, (1 + n) / (10 + n))
        wanted = decay * wanted + (1 - decay) * rdm.network.input_proj.weight.double()
        torch.testing.assert_close(rdm.model_ema.average(name).double(), wanted)
        assert rdm.model_ema.num_updates == n


def test_shared_time_terms_give_the_same_estimate():
    denoiser = small(conditional=True).double().ema_denoiser()
    z, context = torch.randn(6, 12).double(), torch.randn(6, 10).double()
    whole = denoiser(z, torch.full((6,), 301), context)
    shared = denoiser.time_terms(torch.tensor([301]))
    terms = [a + b for a, b in zip(shared, denoiser.context_terms(context), strict=True)]
    torch.testing.assert_close(denoiser.estimate(z, terms), whole, rtol=1e-12, atol=1e-12)


def test_a_new_network_estimates_zero():
    rdm = Rdm(**SMALL)
    assert not rdm(torch.randn(2, 12), torch.tensor([1, 2])).any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [(None, "conditional on 5 classes and got no labels"), ([0, 5], "labels reach from 0 to 5")],
)
def test_labels_must_fit(labels, message):
    with pytest.raises(PenumbraError, match=message):
        small(conditional=True).check_labels(labels and torch.tensor(labels))
    small().check_labels(labels and torch.tensor(labels))


def test_signal_shares_of_the_schedule():
    schedule = Schedule.scaled_linear()
    known = {0: 0.9985, 1: 0.996994, 125: 0.7729, 300: 0.4072, 301: 0.4052, 800: 0.0042}
    for t, share in known.items():
        assert schedule.at("alphas_cumprod", t) == pytest.approx(share, abs=6e-5)


CRASHING = [3, 9, 27, 36, 37, *range(101, 112), *range(251, 334), *range(501, 1001)]


def test_grids_that_leave_the_schedule_are_refused():
    schedule = Schedule.scaled_linear()
    for count in range(1, 1001):
        if count in CRASHING:
            with pytest.raises(PenumbraError, match="100, 125, 200, 250, 500"):
                schedule.grid(count, 0.0)
        else:
            grid = schedule.grid(count, 0.0)
            assert len(grid) == count or 1000 % count
            assert grid[-1].t < 1000
    for count in (0, -1, 1001):
        with pytest.raises(PenumbraError, match="no DDIM grid"):
            schedule.grid(count, 0.0)


@pytest.mark.parametrize(("count", "eta"), [(250, 0.0), (50, 1.0)])
def test_unguided_steps_are_those_of_diffusers(count, eta):
    schedule = Schedule.scaled_linear()
    theirs = DDIMScheduler(
        trained_betas=schedule.betas.numpy(), prediction_type="sample", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading",
    )  # fmt: skip
    theirs.set_timesteps(count)
    ours = schedule.grid(count, eta)[::-1]
    assert theirs.timesteps.tolist() == [step.t for step in ours]
    generator = torch.Generator().manual_seed(0)
    z, x0, noise = torch.randn(3, 4, 8, generator=generator).double()
    for step in ours:
        found = step.descend(x0, step.implied_noise(z, x0)) + step.sigma * noise
        wanted = theirs.step(x0, step.t, z, eta=eta, variance_noise=noise).prev_sample
        torch.testing.assert_close(found, wanted, rtol=2e-5, atol=2e-5)


def test_noise_and_estimate_imply_each_other():
    step = Schedule.scaled_linear().grid(250, 0.0)[40]
    z, x0 = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(step.implied_x0(z, step.implied_noise(z, x0)), x0)
