"""Names and shapes of the published files, at their real sizes, on no device."""

import pytest
import torch
from diffusers.models.autoencoders.vq_model import VQModel

from penumbra.networks.generative import dit, moco
from penumbra.networks.generative.ldm import Unet
from penumbra.networks.generative.ldm_vq import converted
from tests.networks.helpers import digest, first_stage_shapes

# ruff: noqa: E501
PUBLISHED = [
    (moco, {"width": 384, "depth": 12, "heads": 12}, 166, "d960ff20a73ad717d539402a588ac733e35bb1000805e2d1661d011bff307074"),
    (moco, {"width": 768, "depth": 12, "heads": 12}, 166, "11286acd381878187df4353570a5d7d7c87579df0cf63643a9242d99404ef6b8"),
    (moco, {"width": 1024, "depth": 24, "heads": 16}, 310, "13b5930fdfe9b6fdf5d41f5aec941cb833625b9b856d8770b7d333683f89be3d"),
    (dit, {"width": 1152, "depth": 28, "heads": 16}, 295, "63dac00faa810a21bb436f53b00aaa0d1e61fac53d566d12df08632cd17e050b"),
    (dit, {"width": 1024, "depth": 24, "heads": 16}, 255, "d33e30b42535e6f1bb31572893f7c6d7b41899e477607a5bf1ffe3ec52b2f8c2"),
]  # fmt: skip
UNET = "929fbd901d8d7b32d42592efb7b0b21e1150c9297ef00b84d898ee6e6813266a"
VQ = "931de14d4158c8a7ece09c1b6e8d777dffbed3777e38958efad8d6c0eb84a78e"


@pytest.mark.parametrize(("network", "options", "count", "wanted"), PUBLISHED)
def test_transformers(network, options, count, wanted):
    with torch.device("meta"):
        state = network.build(**options).state_dict()
    assert (len(state), digest(state)) == (count, wanted)


def test_ldm_unet():
    with torch.device("meta"):
        model = Unet()
    state = model.state_dict()
    assert (len(state), digest(state)) == (626, UNET)
    # The norms in front of attention have an epsilon of their own, which float32 hardly shows.
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.GroupNorm):
            assert module.eps == (1e-6 if name.endswith(".1.norm") else 1e-5), name


def test_ldm_first_stage():
    """Every published tensor has its place in diffusers' model, of the same shape."""
    shapes = first_stage_shapes((128, 256, 256, 512), 2, latent=4, codes=16384)
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert (len(state), digest(state)) == (299, VQ)
    with torch.device("meta"):
        wanted = VQModel(
            down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
            up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
            block_out_channels=(128, 256, 256, 512),
            layers_per_block=2,
            latent_channels=4,
            num_vq_embeddings=16384,
            vq_embed_dim=4,
        ).state_dict()
    found = converted(state)
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
