"""Conformance of schedule, RDM and minority guidance: all sizes come from the files."""

import math
import re

import torch

from penumbra.networks.generative.diffusion import Schedule, Step
from penumbra.networks.generative.rdm import NETWORK, Rdm
from penumbra.networks.layers.positions import time_steps
from penumbra.outliers.guidance import Guidance, largest, minority
from penumbra.outliers.trajectory import Draws, Sampler
from tests.vectors.cases import cases


def averaged(case, dtype):
    """The RDM of the checkpoint that the case belongs to, whose EMA weights are to be used."""
    name = re.search(r"_(uncond|classcond)", case.name)[1]
    return Rdm.from_state(case.checkpoint(f"rdm_{name}", "rdm")).to(dtype)


def test_schedule_and_grids(request):
    for case in cases(request, "rdm_schedule*"):
        c = case.config
        schedule = Schedule.scaled_linear(c["linear_start"], c["linear_end"], c["timesteps"])
        for name, table in schedule.tables.items():
            assert case.wanted[name].dtype == torch.float32
            case.check(name, table.float())
        for prefix in {
            name.rsplit("_timesteps", 1)[0] for name in case.unchecked if "timesteps" in name
        }:
            count, eta = re.fullmatch(r"ddim(\d+)_eta([\d.]+)", prefix).groups()
            grid = schedule.grid(int(count), float(eta))
            case.check(f"{prefix}_timesteps", torch.tensor([step.t for step in grid]))
            for column, field in (("alphas", "alpha"), ("alphas_prev", "alpha_prev")):
                values = torch.tensor([getattr(step, field) for step in grid], dtype=torch.float64)
                case.check(f"{prefix}_{column}", values)
            sigmas = torch.tensor([step.sigma for step in grid], dtype=torch.float64)
            case.check(f"{prefix}_sigmas", sigmas)


def network(case):
    """An RDM with the vector's raw weights; its EMA is not asked for."""
    prefixed = {
        key if key.startswith("cond_stage") else NETWORK + key: value
        for key, value in case.weights.items()
    }
    averages = {
        "model_ema." + key.removeprefix("model.").replace(".", ""): value
        for key, value in prefixed.items()
        if key.startswith(NETWORK)
    }
    counters = {"decay": torch.tensor(0.9999), "num_updates": torch.tensor(0, dtype=torch.int32)}
    counters = {f"model_ema.{key}": value for key, value in counters.items()}
    return Rdm.from_state(prefixed | averages | counters)


def test_network(request):
    for case in cases(request, "rdm_net_*"):
        rdm = network(case)
        x, t, labels = case.vectors("x"), case.inputs["t"], case.inputs["class_label"]
        assert rdm.conditional == case.config["use_context"]
        case.check("context", rdm.cond_stage_model.embedding(labels[:, None]))
        waves = time_steps(t, rdm.network.width)
        case.check("timestep_embedding", waves)
        case.check("time_mlp", rdm.network.time_embed(waves))
        case.check("x0", rdm(x, t, labels))
        for name in [n for n in case.wanted if n.startswith("x0_single_sample")]:
            row = slice(i := int(name.removeprefix("x0_single_sample")), i + 1)
            case.check(name, rdm(x[row], t[row], labels[row]))
        case.check("x0_float64", rdm.double()(x.double(), t, labels))


def test_ddim(request):
    for case in cases(request, "rdm_ddim_*"):
        c = case.config
        top = Guidance(0.0, direction="none", start=c["timesteps"] - 1, grid=c["S"], eta=c["eta"])
        sampler = Sampler(averaged(case, torch.float32), top)
        x, fresh = case.vectors("x_T"), c["temperature"] * case.vectors("noise")
        draws = Draws(x, fresh=fresh if c["eta"] else None)
        found = list(sampler.states(x, draws, case.inputs["class_label"]))
        case.check("x_inter", torch.stack([z for z, _ in found]))
        case.check("pred_x0", torch.stack([x0 for _, x0 in found]))
        case.check("sample", found[-1][0])


def test_partial(request):
    for case in cases(request, "rdm_partial_*"):
        rdm, c = averaged(case, torch.float32), case.config
        z0, eps, labels = case.vectors("z0"), case.vectors("eps"), case.inputs["class_label"]
        schedule = rdm.schedule
        denoiser, context = rdm.ema_denoiser(), rdm.context(labels)
        for name in [n for n in case.wanted if n.startswith("z_t")]:
            case.check(name, schedule.noised(z0, int(name.removeprefix("z_t")), eps))
        for name in [n for n in case.wanted if n.startswith("tweedie_x0_t")]:
            t = int(name.removeprefix("tweedie_x0_t"))
            z = schedule.noised(z0, t, eps)
            x0 = denoiser(z, torch.full(labels.shape, t), context)
            mean, variance = schedule.posterior(x0, z, t)
            alpha = schedule.at("alphas_cumprod", t)
            case.check(name, x0)
            case.check(f"eps_from_x0_t{t}", Step(t, alpha, alpha, 0.0).implied_noise(z, x0))
            case.check(f"posterior_mean_t{t}", mean)
            case.check(f"posterior_variance_t{t}", torch.full((len(labels), 1), variance))
            logarithm = torch.full((len(labels), 1), math.log(variance))
            case.check(f"posterior_log_variance_t{t}", logarithm)
        plain = Guidance(
            0.0, direction="none", start=c["start_timestep"], grid=c["S"], eta=c["eta"]
        )
        sampler = Sampler(rdm, plain)
        steps = torch.tensor([step.t for step in sampler.steps])
        assert torch.equal(steps.flip(0), case.inputs["timesteps"].sort()[0])
        z = schedule.noised(z0, sampler.steps[0].t, eps)
        found = list(sampler.states(z, Draws(eps), labels))
        case.check("x_inter", torch.stack([z for z, _ in found]))
        case.check("pred_x0", torch.stack([x0 for _, x0 in found]))
        case.check("sample", sampler.denoise(z0, Draws(eps), labels))


POINT = re.compile(r"t(\d+)_(l1|l2|sql2)_(sg|full)_K(\d+)_(score|grad|grad_infnorm)")


def test_minority_points(request):
    for case in cases(request, "minority_point_*"):
        rdm, c = averaged(case, torch.float64), case.config
        labels, schedule = case.inputs["class_label"], rdm.schedule
        z0, eps = case.vectors("z0"), case.vectors("eps_forward")
        for t in c["timesteps"]:
            z, mc = case.vectors(f"t{t}_z_t"), case.vectors(f"t{t}_eps_mc")
            torch.testing.assert_close(schedule.noised(z0, t, eps), z, rtol=1e-6, atol=1e-6)
            once = Guidance(0.05, mode="oneshot", start=t, perturb=c["s"])
            estimate = Sampler(rdm, once).estimate(labels)
            renoised = schedule.noised(estimate(z, t), c["s"], mc[0])
            case.check(f"t{t}_z0hat", estimate(z, t))
            case.check(f"t{t}_z_s", renoised)
            case.check(f"t{t}_z0hat2", estimate(renoised, c["s"]))
            for name in [n for n in sorted(case.unchecked) if n.startswith(f"t{t}_")]:
                if point := POINT.fullmatch(name):
                    check_point(case, name, point, schedule, estimate, z, mc)
            check_upstream(case, schedule, estimate, z, t, mc, once)


def check_point(case, name, point, schedule, estimate, z, mc):
    """A score or gradient, by what its name says."""
    t, distance, path, samples, what = point.groups()
    guidance = Guidance(
        0.05, perturb=case.config["s"], distance=distance, stop_gradient=path == "sg"
    )
    _, score, gradient = minority(estimate, schedule, guidance, z, int(t), mc[: int(samples)])
    found = {"score": score, "grad": gradient, "grad_infnorm": gradient / largest(gradient)}
    case.check(name, found[what])


def check_upstream(case, schedule, estimate, z, t, mc, guidance):
    """The guided means of ancestral sampling: scale times direction, with or without variance."""
    x0, _, gradient = minority(estimate, schedule, guidance, z, t, mc[:1])
    mean, variance = schedule.posterior(x0, z, t)
    case.check(f"t{t}_upstream_posterior_mean", mean)
    case.check(f"t{t}_upstream_posterior_variance", torch.full_like(z, variance))
    for name in [n for n in case.unchecked if n.startswith(f"t{t}_upstream_guided_mean_")]:
        kind, scale = re.search(r"mean_(var|fixed)_scale([\d.]+)", name).groups()
        factor = variance if kind == "var" else 1
        case.check(name, mean + float(scale) * factor * guidance.towards(gradient, None))


TRAJECTORY = re.compile(r"(fixed|var|score|rawgrad)_s(\d+p\d+)(?:_every(\d+))?")


def trajectory_recipe(config, variant):
    """The recipe that a variant's name stands for."""
    keys = {"start": config["start_timestep"], "grid": config["S"], "perturb": config["s"]}
    if variant == "unguided":
        return Guidance(0.0, direction="none", **keys)
    kind, scale, every = TRAJECTORY.fullmatch(variant).groups()
    if kind == "rawgrad":
        keys |= {"normalise": "raw"}
    else:
        keys |= {"update": kind}
    return Guidance(float(scale.replace("p", ".")), every=int(every or 1), **keys)


def test_minority_trajectories(request):
    for case in cases(request, "minority_traj_*"):
        rdm, c, labels = averaged(case, torch.float64), case.config, case.inputs["class_label"]
        z0, z = case.vectors("z0"), case.vectors("z_t")
        steps = re.search(r"states after steps j=([\d,]*\d)", str(case.side["notes"]))[1]
        kept = [int(j) for j in steps.split(",")]
        draws = Draws(case.vectors("eps_forward"), again=case.vectors("eps_mc")[:, None])
        for variant in sorted(
            n.removesuffix("_final") for n in case.unchecked if n.endswith("_final")
        ):
            sampler = Sampler(rdm, trajectory_recipe(c, variant))
            assert len(sampler.steps) == c["start_index"] + 1
            states = [state for state, _ in sampler.states(z, draws, labels)]
            case.check(f"{variant}_inter", torch.stack([states[j] for j in kept]))
            case.check(f"{variant}_final", states[-1])
        plain = Sampler(rdm, trajectory_recipe(c, "unguided"))
        case.check("unguided_final", plain.denoise(z0, draws, labels))
        for name in [n for n in sorted(case.unchecked) if n.startswith("oneshot_")]:
            t, scale = re.fullmatch(r"oneshot_t(\d+)_s(\d+p\d+)_z0", name).groups()
            once = Guidance(
                float(scale.replace("p", ".")), mode="oneshot", start=int(t), perturb=c["s"]
            )
            case.check(name, Sampler(rdm, once).denoise(z0, draws, labels))
