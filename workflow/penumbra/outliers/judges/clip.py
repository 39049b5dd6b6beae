"""CLIP from a local folder as the judge of categories (Radford et al. 2021)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from penumbra.errors import PenumbraError


def probabilities(
    pixels: np.ndarray, classes: Sequence[str], judge: Path | None, config: dict[str, Any]
) -> tuple[np.ndarray, list[str]]:
    """Zero-shot softmax (N, C) at CLIP's logit scale of images uint8 (N, 3, H, W), and the classes.

    Raises:
        PenumbraError: the folder is missing or incomplete, or a prompt has no place for the class.
    """
    if "{}" not in config["prompt"]:
        raise PenumbraError(f"categories.clip.prompt: {config['prompt']!r} has no {{}} for a class")
    model, processor = _load(Path(config["folder"]), config["device"])
    texts = [config["prompt"].format(name.replace("_", " ")) for name in classes]
    with torch.inference_mode():
        words = processor(text=texts, return_tensors="pt", padding=True).to(config["device"])
        found = []
        for start in range(0, len(pixels), config["batch_size"]):
            part = pixels[start : start + config["batch_size"]]
            images = [Image.fromarray(image.transpose(1, 2, 0)) for image in part]
            inputs = processor(images=images, return_tensors="pt").to(config["device"])
            logits = model(**words, **inputs).logits_per_image
            found.append(logits.float().softmax(1).cpu().numpy())
    return np.concatenate(found), list(classes)


def _load(folder: Path, device: str) -> tuple[CLIPModel, CLIPProcessor]:
    try:
        if not (folder / "config.json").is_file():
            raise OSError("no config.json")
        model = CLIPModel.from_pretrained(folder, local_files_only=True)
        processor = CLIPProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise PenumbraError(
            f"{folder}: no CLIP as transformers saves it (model, tokenizer and image processor; "
            f"{error}). Save one there with save_pretrained(), or set categories.judge: classifier"
        ) from error
    model.eval().to(torch.device(device))  # type: ignore[arg-type]
    return model, processor
