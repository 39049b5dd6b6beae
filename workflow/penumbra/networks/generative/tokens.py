"""MAGE's tokens as vectors, and its decoder's vectors as tokens, by the published keys."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers.transformer import EPSILON


class TokenEmbedding(nn.Module):
    """Word and learned position, normalised; position 0 belongs to the class."""

    def __init__(self, words: int, positions: int, width: int, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(words, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.LayerNorm = nn.LayerNorm(width, EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("position_ids", torch.arange(positions)[None])

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (N, L) of the positions from 1 on -> (N, L, W)."""
        x = self.word_embeddings(tokens) + self.position_embeddings.weight[1:]
        return self.dropout(self.LayerNorm(x))


class Prediction(nn.Module):
    """Decoder vectors to logits by products with the words' own embeddings."""

    def __init__(self, decoder_width: int, width: int, words: int):
        super().__init__()
        self.fc = nn.Linear(decoder_width, width)
        self.ln = nn.LayerNorm(width)  # with torch's epsilon, 1e-5, unlike all others
        self.bias = nn.Parameter(torch.zeros(1, 1, words))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """(..., Wd) and the first K words' embeddings (K, W) -> logits (..., K)."""
        return F.linear(self.ln(F.gelu(self.fc(x))), words, self.bias[0, 0, : len(words)])
