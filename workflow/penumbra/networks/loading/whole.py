"""Networks of transformers and diffusers out of local folders, with every one of their tensors."""

from pathlib import Path
from typing import Any

from penumbra.networks.loading.names import listed


def whole(kind: Any, folder: Path, **options: Any) -> Any:
    """The network of a class `kind` in a folder; nothing is fetched, nothing unpickled.

    Both libraries draw what a file lacks at random, and go on.

    Raises:
        ValueError: a tensor is missing. Others, too, where files are damaged.
    """
    network, report = kind.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"its weights lack {listed(missing)}")
    return network
