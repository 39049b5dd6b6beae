"""CompVis' first stage as diffusers' model, against its plain definition by the published names."""

import math

import pytest
import torch
import torch.nn.functional as F

from penumbra.errors import PenumbraError
from penumbra.networks.generative import ldm_vq
from tests.networks.helpers import first_stage_shapes

SIZES = (32, 32, 64)  # by level; attention on the last
CODES, LATENT = 24, 4


def published_state():
    """A small first stage with random weights in the published names and shapes."""
    draw = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in first_stage_shapes(SIZES, 1, LATENT, CODES).items():
        inputs = 1 if name.startswith("quantize.") else math.prod(shape[1:])
        scale = 0.1 if name.endswith(".bias") else inputs**-0.5
        state[name] = torch.randn(shape, generator=draw) * scale
    return state


class Plain:
    """The definition (Esser et al. 2021), one published tensor after the other."""

    def __init__(self, state):
        self.state = state

    def conv(self, name, x):
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def norm(self, name, x):
        return F.group_norm(x, 32, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-6)

    def residual(self, name, x):
        h = self.conv(f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x)))
        h = self.conv(f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", h)))
        shortcut = f"{name}.nin_shortcut"
        return h + (self.conv(shortcut, x) if f"{shortcut}.weight" in self.state else x)

    def attention(self, name, x):
        h = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", h).flatten(2) for part in "qkv")
        weights = (q.transpose(1, 2) @ k * x.shape[1] ** -0.5).softmax(2)
        mixed = (v @ weights.transpose(1, 2)).reshape(x.shape)
        return x + self.conv(f"{name}.proj_out", mixed)

    def decode(self, latents):
        codes = self.state["quantize.embedding.weight"]
        distances = (latents.permute(0, 2, 3, 1)[..., None, :] - codes).square().sum(-1)
        x = codes[distances.argmin(-1)].permute(0, 3, 1, 2)
        x = self.conv("decoder.conv_in", self.conv("post_quant_conv", x))
        x = self.residual("decoder.mid.block_1", x)
        x = self.attention("decoder.mid.attn_1", x)
        x = self.residual("decoder.mid.block_2", x)
        for level in (2, 1, 0):
            for block in (0, 1):
                x = self.residual(f"decoder.up.{level}.block.{block}", x)
                if level == 2:
                    x = self.attention(f"decoder.up.{level}.attn.{block}", x)
            if level:
                x = F.interpolate(x, scale_factor=2)
                x = self.conv(f"decoder.up.{level}.upsample.conv", x)
        return self.conv("decoder.conv_out", F.silu(self.norm("decoder.norm_out", x)))


@torch.no_grad()
def test_decoding_is_the_plain_definition():
    state = published_state()
    latents = torch.randn(3, LATENT, 8, 8, generator=torch.Generator().manual_seed(1)) * 1.5
    wanted = Plain(state).decode(latents)
    found = ldm_vq.decode(ldm_vq.from_state(state), latents)
    assert found.shape == (3, 3, 32, 32)
    assert wanted.abs().max() > 1
    torch.testing.assert_close(found, wanted.clamp(-1, 1), rtol=1e-4, atol=1e-5)


def test_what_is_missing_is_named():
    state = published_state()
    del state["decoder.up.2.attn.1.q.bias"]
    with pytest.raises(PenumbraError, match=r"missing: decoder.up_blocks.0.attentions.1.to_q.bias"):
        ldm_vq.from_state(state)
    del state["quantize.embedding.weight"]
    with pytest.raises(PenumbraError, match=r"quantize\.embedding\.weight is missing"):
        ldm_vq.from_state(state)
