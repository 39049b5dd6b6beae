"""Learned contexts of prompts, embedded by CLIP's frozen text encoder (Zhou et al. 2022, CoOp)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError

DEVIATION = 0.02  # of the first contexts


class Prompts(nn.Module):
    """Texts of C classes, each behind n vectors of its own, `contexts` (K, C, n, W) in K kinds.

    `clip` and `tokenizer` are transformers'. Nothing but the contexts requires a gradient, and
    nothing else is in the state dict.

    Raises:
        PenumbraError: a text with its contexts is longer than CLIP reads.
    """

    def __init__(self, clip: Any, tokenizer: Any, texts: Sequence[str], kinds: int, contexts: int):
        super().__init__()
        words = tokenizer(list(texts), return_tensors="pt", padding=True)
        ids = words["input_ids"].to(clip.device)
        longest = clip.config.text_config.max_position_embeddings
        if contexts + ids.shape[1] > longest:
            raise PenumbraError(
                f"prompt: a class's text has {ids.shape[1]} tokens, which with {contexts} contexts "
                f"are more than CLIP's {longest}; take fewer contexts"
            )
        table = clip.get_submodule("text_model").get_input_embeddings()
        with torch.no_grad():
            embedded = table(ids)
        # Kept from the module's own list, so that CLIP is neither trained nor stored again.
        self._clip = [clip.eval().requires_grad_(False)]
        self._given = [embedded[:, :1], embedded[:, 1:]]
        # Contexts stand where a word that no text ends with would: CLIP looks for the end alone.
        word = torch.zeros_like(ids[:, :1]).expand(-1, contexts)
        self._ids = [torch.cat([ids[:, :1], word, ids[:, 1:]], 1)]
        self._table = _Given()
        clip.get_submodule("text_model").set_input_embeddings(self._table)
        shape = (kinds, len(texts), contexts, embedded.shape[-1])
        self.contexts = nn.Parameter(torch.randn(shape, device=clip.device) * DEVIATION)

    def embed(self, contexts: Tensor) -> Tensor:
        """Unit-norm embeddings (K, C, D) of the texts behind contexts (K, C, n, W)."""
        kinds = len(contexts)
        first, rest = (given.expand(kinds, *given.shape) for given in self._given)
        self._table.rows = torch.cat([first, contexts, rest], 2).flatten(0, 1)
        ids = self._ids[0].repeat(kinds, 1)
        pooled = self._clip[0].get_text_features(input_ids=ids).pooler_output
        return F.normalize(pooled.float(), dim=1).unflatten(0, (kinds, -1))


class _Given(nn.Module):
    """In the place of CLIP's table of words: what it gave for them, and contexts between."""

    rows: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        return self.rows
