"""Arithmetic of a planned job's network: a forward pass as torch counts it, times all passes.

Multiplications and additions of convolutions and products of matrices. A backward pass is worth two
forward ones.
"""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.worlds import Job
from penumbra.networks.generative import mage, moco, vqgan
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.inference import build
from penumbra.planning import networks, outlier_training, parts, resources
from penumbra.planning.config import resolve_recipe
from penumbra.planning.world import World

# Sizes of the published parts, of which the config names no options.
VIT_L = {"width": 1024, "depth": 24, "heads": 16}
PUBLISHED = {"encoder": VIT_L, "mage": {**VIT_L, "decoder_width": 1024}, "rdm": {}, "tokenizer": {}}
PIXELS = 256  # side of the images that they make


def uncounted(world: World, job: Job) -> str | None:
    """The backbone, outlier set or part that has no count: CLIP, all generators but MAGE."""
    backbone, name, part_name = map(job.wildcards.get, ("backbone", "outliers", "part"))
    if backbone is not None:
        return backbone if world.config["backbones"][backbone]["network"] == "clip" else None
    if job.stated in ("parts", "representations"):
        return None if parts.part(world, part_name)["kind"] in PUBLISHED else part_name
    if job.stated not in ("embeddings", "outliers", "reconstructions"):
        return None
    generator = parts.outlier_set(world, name).get("generator")
    is_mage = generator is not None and parts.part(world, generator)["kind"] == "mage"
    return None if is_mage else name


def gflop(world: World, job: Job) -> float:
    """GFLOP of a job's network; 0 where none runs, or only seconds long."""
    wc = job.wildcards
    count = 1000 * resources.thousands(world, job.stated, wc)
    if job.stated == "parts":
        twice = 2 if parts.part(world, wc.part)["kind"] == "encoder" else 1  # two views
        return 3 * twice * count * part(world, wc.part) if count else 0
    if job.stated == "representations":
        return count * part(world, wc.part)
    if job.stated == "embeddings":
        return count * guidance(world, wc.outliers)
    if job.stated == "outliers":
        return count * decoding(world, wc.outliers)
    if job.stated == "reconstructions":
        generator = parts.part(world, parts.outlier_set(world, wc.outliers)["generator"])
        return 1.5 * _images(world, wc, "train") * part(world, generator["tokenizer"])
    passed = passes(world, job)
    return passed * classifier(world, wc.backbone, _side(world, wc.benchmark)) if passed else 0


def passes(world: World, job: Job) -> float:
    """Forward passes of one image that a job of a classifier is worth."""
    wc, rule = job.wildcards, job.stated
    count = 1000 * resources.thousands(world, rule, wc)
    if rule == "models":
        return count * training(resolve_recipe(world.config["recipes"], wc.recipe, wc.backbone))
    if rule == "outputs":
        return count
    if rule == "blocks":  # images and their jigsaws
        return 2 * (world.config["block_selection"]["images"] or _images(world, wc, "train"))
    if rule == "statistics":
        return _scored(world, wc)
    if rule == "fits_network":
        fit = world.config["scorers"][wc.scorer].get("fit", {})
        return 4 * (fit.get("images") or _images(world, wc, "train"))
    if rule == "scores_network":
        options = world.config["scorers"][wc.scorer].get("options", {})
        return 3 * (1 + options.get("steps", 1)) * _scored(world, wc)
    if rule in ("energies", "categories"):
        found = outlier_training.detector(world, wc.recipe, wc.backbone) or {}
        outliers = resources.outliers(world, wc.benchmark, found["set"])
        return outliers + _images(world, wc, "heldout") + _images(world, wc, "calibration_ood")
    return 0


def training(recipe: Mapping[str, Any]) -> float:
    """Forward passes that an epoch of a training is worth, for each image."""
    options = recipe.get("options", {})
    extra = 0.0
    if recipe["method"] == "pgd":
        extra = options["steps"]
    elif recipe["method"] == "uat":
        inner = (options["inner_attack"] or {}).get("steps", 0)
        extra = (1.5 * options["steps"] + inner) / options["tau"]
    elif recipe["method"] in ("energy", "oe"):
        extra = options["outlier_batch"] / recipe["batch_size"]
    elif recipe["method"] in ("simclr", "rotloss"):  # two views, four rotations
        extra = {"simclr": 1, "rotloss": 3}[recipe["method"]]
    return 3 * (1 + extra)


def guidance(world: World, name: str) -> float:
    """GFLOP of one outlier's embedding: each step estimates and, guided, differentiates."""
    entry = parts.outlier_set(world, name)
    guided = entry["guidance"]
    steps = guided["start"] * guided["grid"] / 1000 + 1
    return 3 * steps * (1 + guided["samples"]) * part(world, entry["rdm"])


def decoding(world: World, name: str) -> float:
    """GFLOP of one outlier's image, from its embedding, by MAGE and its tokenizer's decoder."""
    entry = parts.outlier_set(world, name)
    both = 2 if entry["decoding"]["guidance"] else 1
    tokens = entry["decoding"]["steps"] * both * part(world, entry["generator"])
    tokenizer = parts.part(world, entry["generator"])["tokenizer"]
    return tokens + part(world, tokenizer) / 2  # about as much as its encoder


@functools.cache
def classifier(world: World, backbone: str, side: int) -> float:
    """GFLOP of one image's forward pass, which is computed: autocast knows no meta device."""
    config, _ = networks.network(world, {"backbone": backbone})
    return forward(build(config, 10), torch.zeros(1, 3, side, side))


@functools.cache
def part(world: World, name: str) -> float:
    """GFLOP of one forward pass: of an image, a representation's step, or all tokens."""
    entry = parts.part(world, name)
    options = {**PUBLISHED[entry["kind"]], **entry.get("options", {})}
    side = world.size(entry["images"]) if entry.get("training") else PIXELS
    with torch.device("meta"):
        if entry["kind"] == "encoder":
            encoder = moco.build(**options)
            return forward(encoder, torch.empty(1, 3, encoder.image_size, encoder.image_size))
        if entry["kind"] == "tokenizer":
            return _through(vqgan.build(**options), torch.empty(1, 3, side, side))
        if entry["kind"] == "rdm":
            index = torch.zeros(1, dtype=torch.int64)
            rdm = Rdm(**options)
            return forward(rdm, torch.empty(1, rdm.sizes[0]), index, index)
        tokenizer = parts.part(world, entry["tokenizer"]).get("options", {})
        network = mage.build(**options, side=side // vqgan.build(**tokenizer).scale)
        tokens = torch.zeros(1, network.length, dtype=torch.int64)
        return forward(network, tokens, torch.empty(1, network.fake_latent.shape[1]))


def forward(network: nn.Module, *inputs: torch.Tensor) -> float:
    """GFLOP of one call, on the device of its inputs."""
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        network.to(inputs[0].device).eval()(*inputs)
    return counted.get_total_flops() / 1e9


def _through(tokenizer: vqgan.Tokenizer, images: torch.Tensor) -> float:
    vectors = tokenizer.vectors(images)
    return forward(tokenizer.encoder, images) + forward(tokenizer.decoder, vectors)


def _side(world: World, benchmark: str) -> int:
    return world.size(world.config["benchmarks"][benchmark]["train"])


def _images(world: World, wc: Any, role: str) -> int:
    own = world.config["benchmarks"][wc.benchmark]
    return resources.images(world, own[role]) if role in own else 0


def _scored(world: World, wc: Any) -> float:
    """Images of a job that are scored; those of one shard."""
    own = world.config["benchmarks"][wc.benchmark]
    sets = (own["test"], *own.get("shifted", []), *world.all_ood(wc.benchmark))
    count = sum(resources.images(world, name) for name in sets)
    return count / int(wc.get("shard", "0of1").partition("of")[2])
