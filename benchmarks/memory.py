"""Device memory of the networks of the world imagenet, by image: live tensors, counted on a CPU.

Every tensor that an operation makes counts until it is freed. What libraries take for themselves
(workspaces, fragmentation, CUDA's own) is not in it.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from penumbra.home import HOME
from penumbra.networks.generative import mage, moco, vqgan
from penumbra.networks.inference import build
from penumbra.planning.config import merge

MB = 1e6
LARGE = {"width": 1024, "depth": 24, "heads": 16}
BACKBONES = ("resnet34", "resnet101", "t2t-vit")


class Live(TorchDispatchMode):
    """Bytes of all storages that operations made and that are still there; `peak` is their most."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._sizes: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count what the operation gives."""
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if _is(t)}
        made = func(*args, **(kwargs or {}))
        for tensor in filter(_is, tree_leaves(made)):
            storage = tensor.untyped_storage()
            if storage._cdata not in given:
                self._sizes[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._sizes = {k: v for k, v in self._sizes.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._sizes.values()))
        return made


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


def an_image(call: Callable[[int], object], few: int = 1) -> float:
    """MB that one image more takes in a batch, by batches of `few` and of three times as many.

    A training needs some, as gradients of weights take the place of what was kept for few images.
    """
    peaks = []
    for count in (few, 3 * few):
        with Live() as live:
            call(count)
        peaks.append(live.peak)
    return (peaks[1] - peaks[0]) / (2 * few) / MB


def trained(model: nn.Module, count: int) -> None:
    """Forward and backward of a detector's batch in bfloat16."""
    x = torch.rand(count, 3, 224, 224).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        logits = model(x)
    F.cross_entropy(logits.float(), torch.zeros(count, dtype=torch.int64)).backward()


@torch.inference_mode()
def read(model: nn.Module, count: int) -> None:
    """Outputs of a classifier in float32."""
    model(torch.rand(count, 3, 224, 224))


@torch.inference_mode()
def represented(model: moco.MoCo, count: int) -> None:
    """Representations by an encoder in bfloat16."""
    x = model.inputs(torch.zeros(count, 3, 224, 224, dtype=torch.uint8))
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        model.represent(x)


@torch.inference_mode()
def predicted(model: mage.Mage, count: int) -> None:
    """MAGE's first step, of which all tokens are unknown, in bfloat16."""
    tokens = torch.full((count, model.length), model.mask_id)
    places = torch.arange(model.length).expand(count, -1)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        model.unknown_logits(tokens, torch.rand(count, 256), places[:, :0], places)


@torch.inference_mode()
def painted(model: vqgan.Tokenizer, count: int) -> None:
    """Images from tokens in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        model.decode(torch.zeros(count, 16, 16, dtype=torch.int64))


def measure() -> list[tuple[str, float]]:
    """Rows: what, MB an image."""
    files = (HOME / "config" / name for name in ("config.yaml", "imagenet.yaml"))
    config, larger = (yaml.safe_load(file.read_text())["backbones"] for file in files)
    rows = []
    for name in BACKBONES:
        entry = merge(config.get(name) or {}, larger[name])
        model = build({"network": entry["network"], **entry["options"]}, 100).train()
        rows.append((f"{name}, training, bfloat16", an_image(partial(trained, model), 6)))
        rows.append((f"{name}, reading, float32", an_image(partial(read, model.eval()))))
    # What an encoder frees block by block shows in many images; two blocks are enough for that.
    encoder = moco.build(**{**LARGE, "depth": 2}).eval()
    rows.append(("MoCo-v3 ViT-L, bfloat16", an_image(partial(represented, encoder), 16)))
    large = mage.build(**LARGE, decoder_width=1024).eval()
    rows.append(("MAGE-L, a step, bfloat16", an_image(partial(predicted, large))))
    tokenizer = vqgan.build().eval()
    rows.append(("VQGAN, tokens to pixels, bfloat16", an_image(partial(painted, tokenizer))))
    return rows


if __name__ == "__main__":
    for what, value in measure():
        print(f"{what}: {value:.1f} MB an image", flush=True)
