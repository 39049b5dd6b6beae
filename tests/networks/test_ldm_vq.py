"""CompVis' first stage as diffusers' model, against its plain definition by the published names."""

import pytest
import torch
import torch.nn.functional as F

from penumbra.errors import PenumbraError
from penumbra.networks import ldm_vq

SIZES = (32, 32, 64)  # by level; attention on the last
CODES, LATENT = 24, 4


def published_state():
    """A small first stage with random weights in the published names and shapes."""
    draw = torch.Generator().manual_seed(0)
    state = {"quantize.embedding.weight": torch.randn(CODES, LATENT, generator=draw)}

    def layer(name, *shape):
        scale = 1.0 if len(shape) == 1 else torch.Size(shape[1:]).numel() ** -0.5
        state[f"{name}.weight"] = torch.randn(shape, generator=draw) * scale
        state[f"{name}.bias"] = torch.randn(shape[:1], generator=draw) * 0.1

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

    last = SIZES[-1]
    for half, blocks in (("encoder.down", 1), ("decoder.up", 2)):
        for i, size in enumerate(SIZES):
            before = (SIZES[0], *SIZES)[i] if blocks == 1 else (*SIZES, last)[i + 1]
            for j in range(blocks):
                residual(f"{half}.{i}.block.{j}", size if j else before, size)
                if i == 2:
                    attention(f"{half}.{i}.attn.{j}", size)
        name = half.split(".")[0]
        residual(f"{name}.mid.block_1", last, last)
        attention(f"{name}.mid.attn_1", last)
        residual(f"{name}.mid.block_2", last, last)
    for i in (0, 1):
        layer(f"encoder.down.{i}.downsample.conv", SIZES[i], SIZES[i], 3, 3)
        layer(f"decoder.up.{i + 1}.upsample.conv", SIZES[i + 1], SIZES[i + 1], 3, 3)
    layer("encoder.conv_in", SIZES[0], 3, 3, 3)
    layer("encoder.norm_out", last)
    layer("encoder.conv_out", LATENT, last, 3, 3)
    layer("decoder.conv_in", last, LATENT, 3, 3)
    layer("decoder.norm_out", SIZES[0])
    layer("decoder.conv_out", 3, SIZES[0], 3, 3)
    layer("quant_conv", LATENT, LATENT, 1, 1)
    layer("post_quant_conv", LATENT, LATENT, 1, 1)
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
