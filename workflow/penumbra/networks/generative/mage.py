"""MAGE conditioned on a representation (RCG), by its published keys: masked tokens to logits.

A sequence is one class position, which carries the representation, and a square grid of tokens.
The published checkpoint holds tensors that nothing reads; they are kept, frozen, for its keys.
"""

import math
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.tokens import Prediction, TokenEmbedding
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.layers.positions import grid
from penumbra.networks.layers.transformer import EPSILON, Block, at, block_at
from penumbra.networks.loading.states import State, adopt, depth, heads_of, shape, under
from penumbra.options.parts.mage import Options

CLASS_SLOTS = 1000  # word rows between the codes and the mask token; unused
HEADS = {768: 12, 1024: 16}  # published encoders, by width
DECODER_HEADS = {768: 16, 1024: 16}
DROPOUT = 0.1
OWNER = "MAGE"


class Mage(nn.Module):
    """Masked tokens and a representation to logits of the K codes.

    Published: MAGE-B as the defaults; MAGE-L with width 1,024, depth 24, 16 heads, decoder width
    1,024. `side` is the token grid's. Words are K codes, 1,000 unused classes and the mask.
    """

    def __init__(
        self,
        width: int = Options.width,
        depth: int = Options.depth,
        heads: int = Options.heads,
        decoder_width: int = Options.decoder_width,
        decoder_depth: int = Options.decoder_depth,
        decoder_heads: int = Options.decoder_heads,
        codes: int = 1024,
        side: int = 16,
        representation: int = 256,
        patch: int = Options.patch,
        mlp_ratio: int = Options.mlp_ratio,
    ):
        super().__init__()
        self.codes, self.side, self.mask_id = codes, side, codes + CLASS_SLOTS
        words, length = self.mask_id + 1, side**2 + 1
        self.fake_latent = nn.Parameter(torch.zeros(1, representation))
        self.token_emb = TokenEmbedding(words, length, width, DROPOUT)
        self.latent_prior_proj = nn.Linear(representation, width)
        self.blocks = _blocks(depth, width, heads, mlp_ratio)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.decoder_embed = nn.Linear(width, decoder_width)
        # Published: normal numbers of 0.02, too small for a short training to tell places apart.
        places = grid(side, decoder_width, "column", True)
        self.decoder_pos_embed_learned = nn.Parameter(places.clone())
        self.decoder_blocks = _blocks(decoder_depth, decoder_width, decoder_heads, mlp_ratio)
        self.decoder_norm = nn.LayerNorm(decoder_width, EPSILON)
        self.mlm_layer = Prediction(decoder_width, width, words)
        self._initialise()
        self._unread(width, decoder_width, patch, places)
        self.accompany(None, None)

    def accompany(self, tokenizer: Tokenizer | None, encoder: nn.Module | None) -> None:
        """Take the tokenizer and the representations' encoder along, frozen and in eval mode."""
        self.vqgan, self.pretrained_encoder = tokenizer, encoder
        for network in self._companions():
            network.requires_grad_(False).eval()

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that it was trained with.

        Raises:
            PenumbraError: its checkpoint held none.
        """
        if self.vqgan is None:
            raise PenumbraError(
                "MAGE: its checkpoint holds no tokenizer (vqgan.*); take the whole one"
            )
        return self.vqgan

    def _unread(self, width: int, decoder_width: int, patch: int, places: Tensor) -> None:
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_width))
        self.pos_embed = nn.Parameter(grid(self.side, width, "column", True))
        self.decoder_pos_embed = nn.Parameter(places)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.decoder_pred = nn.Linear(decoder_width, 3 * patch**2)
        for unread in (
            *(self.cls_token, self.mask_token, self.pos_embed, self.decoder_pos_embed),
            *(self.patch_embed, self.decoder_pred),
        ):
            unread.requires_grad_(False)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.normal_(self.fake_latent, std=0.02)

    def _companions(self) -> list[nn.Module]:
        return [network for network in (self.vqgan, self.pretrained_encoder) if network is not None]

    def train(self, mode: bool = True) -> "Mage":
        """As every module's, but tokenizer and encoder stay in eval mode."""
        super().train(mode)
        for network in self._companions():
            network.eval()
        return self

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self.side**2

    def embed(self, tokens: Tensor, representations: Tensor) -> Tensor:
        """Tokens (N, L), unknown ones `mask_id`, and (N, R) -> (N, 1 + L, W), class first.

        The class position has neither position embedding nor norm.
        """
        return torch.cat(
            [self.latent_prior_proj(representations)[:, None], self.token_emb(tokens)], 1
        )

    def encode(self, x: Tensor) -> Tensor:
        """Embedded positions (N, P, W), class first, any of the others left out -> (N, P, W)."""
        return self.norm(_through(_list(self.blocks), x))

    def fill(self, latent: Tensor, seen: Tensor, known: Tensor) -> Tensor:
        """The decoder's input (N, 1 + L, Wd).

        `latent` (N, 1 + P, W) is the encoder's output at the class and at the tokens `seen`
        (N, P); wherever a token is not `known` (N, L), the class's vector stands instead.
        """
        order = torch.arange(1, seen.shape[1] + 1, device=seen.device).expand_as(seen)
        source = torch.zeros_like(known, dtype=torch.int64).scatter(1, seen, order) * known
        filled = at(self.decoder_embed(latent), F.pad(source, (1, 0)))
        return filled + self.decoder_pos_embed_learned

    def decode(self, x: Tensor) -> Tensor:
        """The decoder's input (N, 1 + L, Wd) -> its vectors (N, 1 + L, Wd), class first."""
        return self.decoder_norm(_through(_list(self.decoder_blocks), x))

    def predict(self, x: Tensor) -> Tensor:
        """Decoder vectors (..., Wd) -> logits (..., K) of the codes; no gradient to the words."""
        return self.mlm_layer(x, self.token_emb.word_embeddings.weight[: self.codes].detach())

    def forward(
        self, tokens: Tensor, representations: Tensor, seen: Tensor | None = None
    ) -> Tensor:
        """Logits (N, L, K) at all of the tokens (N, L); unknown ones are `mask_id`.

        `seen` (N, P) are the tokens that enter the encoder: all, unless training drops some.
        """
        if seen is None:
            seen = torch.arange(self.length, device=tokens.device).expand(len(tokens), -1)
        latent = self.encode(at(self.embed(tokens, representations), with_class(seen)))
        x = self.decode(self.fill(latent, seen, tokens != self.mask_id))
        return self.predict(x[:, 1:])

    def unknown_logits(
        self, tokens: Tensor, representations: Tensor, known: Tensor, unknown: Tensor
    ) -> Tensor:
        """`forward` at the tokens `unknown` (N, U) alone: (N, U, K); for eval mode.

        Of the encoder's last block only the class and the tokens `known` (N, L - U) are read, of
        the decoder's only the unknown ones: the rest of both is not computed. The prediction is
        never below float32.
        """
        *first, last = _list(self.blocks)
        x = _through(first, self.embed(tokens, representations))
        latent = self.norm(block_at(last, x, with_class(known)))
        *first, last = _list(self.decoder_blocks)
        x = _through(first, self.fill(latent, known, tokens != self.mask_id))
        x = self.decoder_norm(block_at(last, x, unknown + 1))
        with torch.autocast(x.device.type, enabled=False):
            return self.predict(x.to(self.mlm_layer.fc.weight.dtype))

    @classmethod
    def from_state(
        cls,
        state: State,
        heads: int | None = None,
        decoder_heads: int | None = None,
        encoder: nn.Module | None = None,
    ) -> Self:
        """The network whose sizes the shapes of `state` show, with its weights, in eval mode.

        Heads leave no shape: the published ones of the width are the default. The tokenizer in
        `state` comes along; the encoder's weights go into `encoder`, or are left out.

        Raises:
            PenumbraError: tensors are missing, not expected or of another shape, or the number of
                heads is neither given nor known from the width.
        """
        positions, width = shape(state, "token_emb.position_embeddings.weight", OWNER)
        decoder_width = shape(state, "decoder_embed.weight", OWNER)[0]
        mage = cls(
            width,
            depth(state, "blocks."),
            heads_of(width, heads, HEADS, OWNER),
            decoder_width,
            depth(state, "decoder_blocks."),
            heads_of(decoder_width, decoder_heads, DECODER_HEADS, f"{OWNER}'s decoder"),
            shape(state, "token_emb.word_embeddings.weight", OWNER)[0] - CLASS_SLOTS - 1,
            _side(positions - 1),
            shape(state, "fake_latent", OWNER)[1],
            shape(state, "patch_embed.proj.weight", OWNER)[-1],
            shape(state, "blocks.0.mlp.fc1.weight", OWNER)[0] // width,
        )
        tokenizer = under(state, "vqgan.")
        mage.accompany(Tokenizer.from_state(tokenizer) if tokenizer else None, encoder)
        if encoder is None:
            state = {k: v for k, v in state.items() if not k.startswith("pretrained_encoder.")}
        adopt(mage, state, OWNER)
        return mage.eval()


def build(**options: Any) -> Mage:
    """The network, randomly initialised; options as those of `Mage`."""
    used = {key: options.pop(key) for key in ("codes", "side", "representation") if key in options}
    return Mage(**used, **vars(Options.of(options)))


def with_class(places: Tensor) -> Tensor:
    """Token places (N, P) as positions of the sequence, the class's in front: (N, 1 + P)."""
    return F.pad(places + 1, (1, 0))


def _through(blocks: list[Block], x: Tensor) -> Tensor:
    for block in blocks:
        x = block(x)
    return x


def _list(blocks: nn.ModuleList) -> list[Block]:
    return list(blocks)  # type: ignore[arg-type]


def _blocks(depth: int, width: int, heads: int, ratio: int) -> nn.ModuleList:
    return nn.ModuleList([Block(width, heads, ratio * width, DROPOUT) for _ in range(depth)])


def _side(tokens: int) -> int:
    side = math.isqrt(tokens)
    if side**2 != tokens:
        raise PenumbraError(f"{OWNER}: {tokens} tokens are no square grid")
    return side
