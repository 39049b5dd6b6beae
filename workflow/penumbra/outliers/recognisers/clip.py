"""CLIP from a local folder as the recogniser of categories (Radford et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from penumbra.images.classes import in_words
from penumbra.networks.loading.clip_files import pretrained, prompts


def probabilities(
    pixels: np.ndarray, classes: Sequence[str], recogniser: Path | None, config: dict[str, Any]
) -> tuple[np.ndarray, list[str]]:
    """Zero-shot softmax (N, C) at CLIP's logit scale of images uint8 (N, 3, H, W), and the classes.

    Raises:
        PenumbraError: the folder is missing or incomplete, or a prompt has no place for the class.
    """
    named = in_words(classes, config["words"])
    texts = prompts(named, config["prompt"], "categories.clip.prompt")
    otherwise = ", or set categories.recogniser: classifier"
    model, processor = pretrained(
        Path(config["folder"]), CLIPModel, CLIPProcessor, otherwise=otherwise
    )
    model.eval().to(config["device"])
    with torch.inference_mode():
        words = processor(text=texts, return_tensors="pt", padding=True).to(config["device"])
        batches = []
        for start in range(0, len(pixels), config["batch_size"]):
            part = pixels[start : start + config["batch_size"]]
            images = [Image.fromarray(image.transpose(1, 2, 0)) for image in part]
            inputs = processor(images=images, return_tensors="pt").to(config["device"])
            logits = model(**words, **inputs).logits_per_image
            batches.append(logits.float().softmax(1).cpu().numpy())
    return np.concatenate(batches), list(classes)
