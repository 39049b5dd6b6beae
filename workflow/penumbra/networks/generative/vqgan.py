"""MAGE's image tokenizer, RCG's port of MaskGIT's VQGAN, by its published keys.

It differs from the taming and CompVis VQGAN, whose keys look alike: pixels in [0, 1], average
pooling, no attention, no convolution around the codebook, and a shortcut that does not see x.
"""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.upsample import Upsample
from penumbra.networks.loading.states import State, adopt, depth, shape
from penumbra.options.parts.tokenizer import GROUPS, Options

OWNER = "tokenizer"


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(GROUPS, channels), channels, eps=1e-6)


def _activate(norm: nn.Module, x: Tensor) -> Tensor:
    return F.silu(norm(x), inplace=True)


class ResidualBlock(nn.Module):
    """x + h where the channels stay; where they change, shortcut(h) + h: x reaches h alone."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norm1 = _norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = _norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.nin_shortcut: nn.Module | None = None
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        h = self.conv1(_activate(self.norm1, x))
        h = self.conv2(_activate(self.norm2, h))
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(h))


class Middle(nn.Module):
    """Two residual blocks at the lowest resolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        return self.block_2(self.block_1(x))


class Level(nn.Module):
    """The residual blocks of one resolution, and in the decoder the way up from it."""

    def __init__(self, inputs: int, outputs: int, blocks: int, up: bool = False):
        super().__init__()
        sizes = [inputs] + [outputs] * (blocks - 1)
        self.block = nn.ModuleList([ResidualBlock(size, outputs) for size in sizes])
        self.upsample = Upsample(outputs) if up else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), or twice the side with a way up."""
        for block in self.block:
            x = block(x)
        return x if self.upsample is None else self.upsample(x)


class Encoder(nn.Module):
    """Images (N, 3, H, W) -> vectors (N, D, H / 2^l, W / 2^l) for l + 1 levels."""

    def __init__(self, channels: Sequence[int], stem: int, blocks: int, code_width: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, stem, 3, padding=1, bias=False)
        pairs = zip([stem, *channels], channels, strict=False)
        self.down = nn.ModuleList([Level(inputs, outputs, blocks) for inputs, outputs in pairs])
        self.mid = Middle(channels[-1])
        self.norm_out = _norm(channels[-1])
        self.conv_out = nn.Conv2d(channels[-1], code_width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Halves the side between levels by the average of 2×2 pixels."""
        x = self.conv_in(x)
        for i, level in enumerate(self.down):
            x = level(F.avg_pool2d(x, 2) if i else x)
        return self.conv_out(_activate(self.norm_out, self.mid(x)))


class Decoder(nn.Module):
    """Vectors (N, D, h, w) -> images (N, 3, 2^l · h, 2^l · w); unbounded, aimed at [0, 1]."""

    def __init__(self, channels: Sequence[int], blocks: int, code_width: int):
        super().__init__()
        self.conv_in = nn.Conv2d(code_width, channels[-1], 3, padding=1)
        self.mid = Middle(channels[-1])
        above = [*channels[1:], channels[-1]]  # a level takes over from the next lower resolution
        self.up = nn.ModuleList(
            [
                Level(inputs, outputs, blocks, up=i > 0)
                for i, (inputs, outputs) in enumerate(zip(above, channels, strict=True))
            ]
        )
        self.norm_out = _norm(channels[0])
        self.conv_out = nn.Conv2d(channels[0], 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """From the lowest resolution, which is the last of `up`, to the image's."""
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(_activate(self.norm_out, x))


class Codebook(nn.Module):
    """K vectors of D numbers, `embedding.weight`."""

    def __init__(self, codes: int, code_width: int):
        super().__init__()
        self.embedding = nn.Embedding(codes, code_width)
        nn.init.uniform_(self.embedding.weight, -1 / codes, 1 / codes)

    def nearest(self, z: Tensor) -> Tensor:
        """Index (N, h, w) of the row nearest to each vector of z (N, D, h, w); first of equals."""
        rows = self.embedding.weight.detach()
        # In full precision even where the convolutions are not: near codes differ by little.
        with torch.autocast(z.device.type, enabled=False):
            products = torch.einsum("ndhw,kd->nhwk", z.detach().to(rows.dtype), rows)
            # |z - e|² without |z|², which is the same for all e.
            return (rows.square().sum(1) - 2 * products).argmin(-1)

    def forward(self, indices: Tensor) -> Tensor:
        """Indices (N, h, w) -> vectors (N, D, h, w)."""
        return self.embedding(indices).permute(0, 3, 1, 2)


class Tokenizer(nn.Module):
    """Images in [0, 1] to a grid of code indices, and back.

    Published: 256×256 pixels, 16×16 tokens, 1,024 codes of 256 numbers; `width` · `multipliers`
    channels from the highest resolution to the lowest, `blocks` residual blocks each.
    """

    def __init__(
        self,
        width: int = Options.width,
        multipliers: Sequence[int] = Options.multipliers,
        blocks: int = Options.blocks,
        codes: int = Options.codes,
        code_width: int = Options.code_width,
    ):
        super().__init__()
        channels = [width * factor for factor in multipliers]
        self.encoder = Encoder(channels, width, blocks, code_width)
        self.decoder = Decoder(channels, blocks, code_width)
        self.quantize = Codebook(codes, code_width)
        self.scale = 2 ** (len(channels) - 1)
        self.codes = codes

    def vectors(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] -> vectors (N, D, h, w) before the codebook.

        Raises:
            PenumbraError: the image's sides are no multiples of the token's.
        """
        if x.shape[2] % self.scale or x.shape[3] % self.scale:
            raise PenumbraError(
                f"{OWNER}: images of {x.shape[2]}×{x.shape[3]} pixels; a token covers "
                f"{self.scale}×{self.scale}, so both sides must be multiples of {self.scale}"
            )
        return self.encoder(x)

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] -> code indices (N, H / scale, W / scale)."""
        return self.quantize.nearest(self.vectors(x))

    def decode(self, indices: Tensor) -> Tensor:
        """Code indices (N, h, w) -> images (N, 3, h · scale, w · scale), not clamped to [0, 1]."""
        return self.decoder(self.quantize(indices))

    def through(self, z: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, H, W) of vectors z by their codes, and the codebook's loss (), to train on.

        The loss moves codes to their vectors and, by a quarter, vectors to their codes. The
        gradient of the images passes the codebook unchanged (van den Oord et al. 2017).
        """
        q = self.quantize(indices)
        loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        return self.decoder(z + (q - z).detach()), loss

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The tokenizer whose sizes the shapes of `state` show, with its weights, in eval mode.

        Raises:
            PenumbraError: tensors are missing, not expected or of another shape.
        """
        width = shape(state, "encoder.conv_in.weight", OWNER)[0]
        levels = [
            shape(state, f"encoder.down.{level}.block.0.conv1.weight", OWNER)[0]
            for level in range(depth(state, "encoder.down."))
        ]
        tokenizer = cls(
            width,
            [channels // width for channels in levels],
            depth(state, "encoder.down.0.block."),
            *shape(state, "quantize.embedding.weight", OWNER),
        )
        adopt(tokenizer, state, OWNER)
        return tokenizer.eval()


def build(**options: Any) -> Tokenizer:
    """The tokenizer, randomly initialised."""
    return Tokenizer(**vars(Options.of(options)))
