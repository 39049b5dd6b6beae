"""CLIP in a local folder, as transformers saves one; nothing is ever downloaded."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.networks.loading.whole import whole

CONFIG = "config.json"  # of the model, beside its weights


def holds_clip(folder: Path) -> bool:
    """Whether a model of transformers lies in the folder; nothing of it is loaded."""
    return (folder / CONFIG).is_file()


def pretrained(folder: Path, *kinds: Any, otherwise: str = "") -> list[Any]:
    """What each of transformers' classes `kinds` loads from the folder.

    Raises:
        PenumbraError: the folder is missing, incomplete or damaged; `otherwise` is a mend of the
            caller's.
    """
    try:
        if not holds_clip(folder):
            raise OSError(f"no {CONFIG}")
        return [
            whole(kind, folder)
            if hasattr(kind, "base_model_prefix")  # models alone have weights
            else kind.from_pretrained(folder, local_files_only=True)
            for kind in kinds
        ]
    except Exception as error:  # of damaged files these libraries raise anything
        raise PenumbraError(
            f"{folder}: no CLIP as transformers saves it (model, tokenizer and image processor; "
            f"{error}). Save one there with save_pretrained(){otherwise}"
        ) from error


def normalised(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and deviation of the images that the CLIP of a folder was trained on, by colour.

    Raises:
        PenumbraError: its preprocessor_config.json is not there, or does not say them.
    """
    file = folder / "preprocessor_config.json"
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        return held["image_mean"], held["image_std"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PenumbraError(
            f"{file}: does not say image_mean and image_std ({type(error).__name__}: {error}); "
            "save the image processor there with save_pretrained()"
        ) from error


def wordless(classes: Iterable[str]) -> list[str]:
    """Those of the names that are WordNet ids, of which CLIP makes nothing."""
    return [name for name in classes if re.fullmatch(r"n\d{8}", name)]


def prompts(classes: Sequence[str], prompt: str, key: str) -> list[str]:
    """The prompt of every class; `key` is the config's name of the prompt.

    Raises:
        PenumbraError: the prompt has no place for the class, or a class is a WordNet id.
    """
    if "{}" not in prompt:
        raise PenumbraError(f"{key}: {prompt!r} has no {{}} for a class")
    coded = wordless(classes)
    if coded:
        raise PenumbraError(
            f"{key}: CLIP cannot read the class name {coded[0]!r}; say in words what it is called, "
            "in a file of config/words that the data set names as `words_file`"
        )
    return [prompt.replace("{}", name) for name in spoken(classes)]


def spoken(names: Iterable[str]) -> list[str]:
    """Names as a text has them, with spaces between their words."""
    return [name.replace("_", " ") for name in names]
