"""A classifier out of CLIP and class names, without training (Radford et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from penumbra.errors import PenumbraError
from penumbra.networks.backbones.clip import Clip
from penumbra.networks.loading.clip_files import pretrained, prompts

TOGETHER = 256  # texts embedded at once


def classifier(folder: Path, classes: Sequence[str], prompt: str, device: torch.device) -> Clip:
    """CLIP's image encoder with the embedded prompt of each class as the last layer, on the device.

    Raises:
        PenumbraError: the folder holds no CLIP, or the prompt has no place for the class or is
            longer than CLIP reads.
    """
    texts = prompts(classes, prompt, "prompt")
    clip, tokenizer = pretrained(folder, CLIPModel, CLIPTokenizer)
    model = Clip(len(classes), clip.config).to(device)
    model.take_up(clip.to(device).eval())
    weights = {**model.state_dict(), "fc.weight": text_embeddings(clip, tokenizer, texts)}
    model.load_state_dict(weights)
    return model


@torch.inference_mode()
def text_embeddings(clip: Any, tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Unit-norm embeddings (N, D) of N texts.

    Raises:
        PenumbraError: a text is longer than CLIP reads.
    """
    longest = clip.config.text_config.max_position_embeddings
    embeddings = []
    for start in range(0, len(texts), TOGETHER):
        words = tokenizer(list(texts[start : start + TOGETHER]), return_tensors="pt", padding=True)
        if words["input_ids"].shape[1] > longest:
            raise PenumbraError(f"prompt: a class's text has more than CLIP's {longest} tokens")
        pooled = clip.get_text_features(**words.to(clip.device)).pooler_output
        embeddings.append(F.normalize(pooled, dim=1))
    return torch.cat(embeddings)
