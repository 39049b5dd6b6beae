"""What the published state dicts hold, for tests of several networks."""

import hashlib
from itertools import pairwise


def digest(state):
    """SHA-256 of the sorted lines "name shape type" of a state dict."""
    lines = [
        f"{name} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        for name, value in state.items()
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def first_stage_shapes(sizes, blocks, latent, codes):
    """Shapes of CompVis' first stage by their published names.

    `sizes` are the channels by level, the last of which attends; the decoder has one block a level
    more than the encoder's `blocks`.
    """
    shapes = {"quantize.embedding.weight": (codes, latent)}
    first, last = sizes[0], sizes[-1]

    def layer(name, *shape):
        shapes.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    def residual(name, inputs, outputs):
        layer(f"{name}.norm1", inputs)
        layer(f"{name}.conv1", outputs, inputs, 3, 3)
        layer(f"{name}.norm2", outputs)
        layer(f"{name}.conv2", outputs, outputs, 3, 3)
        if inputs != outputs:
            layer(f"{name}.nin_shortcut", outputs, inputs, 1, 1)

    def attention(name):
        layer(f"{name}.norm", last)
        for part in ("q", "k", "v", "proj_out"):
            layer(f"{name}.{part}", last, last, 1, 1)

    def half(name, way, before, count):
        for i, (inputs, outputs) in enumerate(zip(before, sizes, strict=True)):
            for j in range(count):
                residual(f"{name}.{way}.{i}.block.{j}", outputs if j else inputs, outputs)
                if i == len(sizes) - 1:
                    attention(f"{name}.{way}.{i}.attn.{j}")
        residual(f"{name}.mid.block_1", last, last)
        attention(f"{name}.mid.attn_1")
        residual(f"{name}.mid.block_2", last, last)

    half("encoder", "down", (first, *sizes[:-1]), blocks)
    half("decoder", "up", (*sizes[1:], last), blocks + 1)
    for i, (upper, lower) in enumerate(pairwise(sizes)):
        layer(f"encoder.down.{i}.downsample.conv", upper, upper, 3, 3)
        layer(f"decoder.up.{i + 1}.upsample.conv", lower, lower, 3, 3)
    layer("encoder.conv_in", first, 3, 3, 3)
    layer("encoder.norm_out", last)
    layer("encoder.conv_out", latent, last, 3, 3)
    layer("decoder.conv_in", last, latent, 3, 3)
    layer("decoder.norm_out", first)
    layer("decoder.conv_out", 3, first, 3, 3)
    layer("quant_conv", latent, latent, 1, 1)
    layer("post_quant_conv", latent, latent, 1, 1)
    return shapes
