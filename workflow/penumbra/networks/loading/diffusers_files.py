"""Stable Diffusion in a local folder, as diffusers saves one; nothing is ever downloaded."""

from collections.abc import Iterator
from pathlib import Path

# The models of a text-to-image pipeline, and the file of each one's weights. The safety checker
# and the feature extractor that may lie beside them are not used.
WEIGHTS = {
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}
CONFIG = "config.json"  # of each model
SCHEDULE = Path("scheduler/scheduler_config.json")
TOKENIZER = Path("tokenizer")
VOCABULARY = ("vocab.json", "merges.txt")  # of a tokenizer, which go together
FAST = "tokenizer.json"  # has what both say, and will do alone


def stable_diffusion_files(folder: Path) -> list[Path]:
    """All files of a folder that are read, sorted; those that lie in the place of none are not."""
    models = [folder / model / name for model, file in WEIGHTS.items() for name in (CONFIG, file)]
    words = (path for path in (folder / TOKENIZER).glob("*") if path.is_file())
    return sorted([*models, folder / SCHEDULE, *words])


def lacking(folder: Path) -> Iterator[Path]:
    """Files without which a folder holds no Stable Diffusion."""
    yield from (path for path in stable_diffusion_files(folder) if not path.is_file())
    if not (folder / TOKENIZER / FAST).is_file():
        words = (folder / TOKENIZER / name for name in VOCABULARY)
        yield from (path for path in words if not path.is_file())
