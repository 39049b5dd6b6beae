"""Names and shapes of the published files, at their real sizes, on no device.

The digests are of the sorted lines "name shape type" of the published state dicts.
"""

import hashlib

import pytest
import torch
from diffusers.models.autoencoders.vq_model import VQModel

from penumbra.networks import dit, moco
from penumbra.networks.ldm import Unet
from penumbra.networks.ldm_vq import converted

# ruff: noqa: E501
MOCO = {
    "s": ({"width": 384, "depth": 12, "heads": 12}, 166, "d960ff20a73ad717d539402a588ac733e35bb1000805e2d1661d011bff307074"),
    "b": ({"width": 768, "depth": 12, "heads": 12}, 166, "11286acd381878187df4353570a5d7d7c87579df0cf63643a9242d99404ef6b8"),
    "l": ({"width": 1024, "depth": 24, "heads": 16}, 310, "13b5930fdfe9b6fdf5d41f5aec941cb833625b9b856d8770b7d333683f89be3d"),
}  # fmt: skip
DIT = {
    "xl": ({"width": 1152, "depth": 28, "heads": 16}, 295, "63dac00faa810a21bb436f53b00aaa0d1e61fac53d566d12df08632cd17e050b"),
    "l": ({"width": 1024, "depth": 24, "heads": 16}, 255, "d33e30b42535e6f1bb31572893f7c6d7b41899e477607a5bf1ffe3ec52b2f8c2"),
}  # fmt: skip
UNET = "929fbd901d8d7b32d42592efb7b0b21e1150c9297ef00b84d898ee6e6813266a"
VQ = "931de14d4158c8a7ece09c1b6e8d777dffbed3777e38958efad8d6c0eb84a78e"


def digest(state):
    lines = [
        f"{name} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        for name, value in state.items()
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@pytest.mark.parametrize("size", MOCO)
def test_moco(size):
    options, count, wanted = MOCO[size]
    with torch.device("meta"):
        state = moco.build(**options).state_dict()
    assert (len(state), digest(state)) == (count, wanted)


@pytest.mark.parametrize("size", DIT)
def test_dit(size):
    options, count, wanted = DIT[size]
    with torch.device("meta"):
        state = dit.build(**options).state_dict()
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


def published_vq_f8():
    """Shapes of CompVis' vq-f8 (16,384 codes of 4) by their published names."""
    state = {"quantize.embedding.weight": (16384, 4)}

    def layer(name, *shape):
        state.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    def residual(name, inputs, outputs):
        layer(f"{name}.norm1", inputs)
        layer(f"{name}.conv1", outputs, inputs, 3, 3)
        layer(f"{name}.norm2", outputs)
        layer(f"{name}.conv2", outputs, outputs, 3, 3)
        if inputs != outputs:
            layer(f"{name}.nin_shortcut", outputs, inputs, 1, 1)

    def attention(name, width):
        layer(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            layer(f"{name}.{part}", width, width, 1, 1)

    def level(name, inputs, outputs, blocks):
        for i in range(blocks):
            residual(f"{name}.block.{i}", inputs if i == 0 else outputs, outputs)
            if outputs == 512:
                attention(f"{name}.attn.{i}", outputs)

    sizes = (128, 256, 256, 512)
    for i, (inputs, outputs) in enumerate(zip((128, *sizes), sizes, strict=False)):
        level(f"encoder.down.{i}", inputs, outputs, 2)
        if i < 3:
            layer(f"encoder.down.{i}.downsample.conv", outputs, outputs, 3, 3)
    for i, (outputs, inputs) in enumerate(zip(sizes, (*sizes[1:], 512), strict=True)):
        level(f"decoder.up.{i}", inputs, outputs, 3)
        if i:
            layer(f"decoder.up.{i}.upsample.conv", outputs, outputs, 3, 3)
    for half in ("encoder", "decoder"):
        residual(f"{half}.mid.block_1", 512, 512)
        attention(f"{half}.mid.attn_1", 512)
        residual(f"{half}.mid.block_2", 512, 512)
    layer("encoder.conv_in", 128, 3, 3, 3)
    layer("encoder.norm_out", 512)
    layer("encoder.conv_out", 4, 512, 3, 3)
    layer("decoder.conv_in", 512, 4, 3, 3)
    layer("decoder.norm_out", 128)
    layer("decoder.conv_out", 3, 128, 3, 3)
    layer("quant_conv", 4, 4, 1, 1)
    layer("post_quant_conv", 4, 4, 1, 1)
    return {name: torch.empty(shape, device="meta") for name, shape in state.items()}


def test_ldm_first_stage():
    """Every published tensor has its place in diffusers' model, of the same shape."""
    state = published_vq_f8()
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
