"""The published checkpoint files: where they belong, how they are laid out, what they hold."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.loading import safe
from penumbra.networks.loading.layouts import LAYOUTS
from penumbra.networks.loading.names import listed
from penumbra.networks.loading.pickled import opened
from penumbra.networks.loading.states import State, shape, under

WEIGHTS = Path("weights")
ENCODER = "pretrained_encoder."


@dataclass(frozen=True)
class Published:
    """A published file: its place below `weights/`, its layout, and what it is.

    `encoder` names the encoder on whose representations a generative part was trained. All
    encoders give 256 numbers, so that another one fits, and gives nonsense.
    """

    file: str
    kind: str
    what: str
    encoder: str | None = None


CATALOGUE = {
    "moco-s": Published("mocov3/vits.pth.tar", "moco", "MoCo-v3 ViT-S/16 (vit-s-300ep.pth.tar)"),
    "moco-b": Published("mocov3/vitb.pth.tar", "moco", "MoCo-v3 ViT-B/16 (vit-b-300ep.pth.tar)"),
    "moco-l": Published("mocov3/vitl.pth.tar", "moco", "MoCo-v3 ViT-L/16 (RCG's vitl.pth.tar)"),
    "rdm-b": Published(
        "rcg/rdm-mocov3vitb.pth", "rdm", "RDM for MoCo-v3 ViT-B (rdm-mocov3vitb.pth)", "moco-b"
    ),
    "rdm-b-classes": Published(
        "rcg/rdm-mocov3vitb-clscond.pth",
        "rdm",
        "class-conditional RDM for MoCo-v3 ViT-B (rdm-mocov3vitb-clscond.pth)",
        "moco-b",
    ),
    "rdm-l": Published(
        "rcg/rdm-mocov3vitl.pth", "rdm", "RDM for MoCo-v3 ViT-L (rdm-mocov3vitl.pth)", "moco-l"
    ),
    "rdm-l-classes": Published(
        "rcg/rdm-mocov3vitl-clscond.pth",
        "rdm",
        "class-conditional RDM for MoCo-v3 ViT-L (rdm-mocov3vitl-clscond.pth)",
        "moco-l",
    ),
    "tokenizer": Published(
        "rcg/vqgan_jax_strongaug.ckpt", "tokenizer", "MAGE's tokenizer (vqgan_jax_strongaug.ckpt)"
    ),
    "mage-b": Published(
        "rcg/mage-b.pth", "mage", "MAGE-B for MoCo-v3 ViT-B (mage-b.pth)", "moco-b"
    ),
    "mage-l": Published(
        "rcg/mage-l.pth", "mage", "MAGE-L for MoCo-v3 ViT-L (mage-l.pth)", "moco-l"
    ),
    "dit-xl": Published(
        "rcg/dit-xl.pth", "dit", "RCG's DiT-XL/2 for MoCo-v3 ViT-B (400 epochs)", "moco-b"
    ),
    "sd-vae": Published(
        "sd-vae-ft-ema/diffusion_pytorch_model.safetensors",
        "autoencoder",
        "Stable Diffusion's first stage as diffusers stores it (stabilityai/sd-vae-ft-ema)",
    ),
    "ldm-8": Published(
        "rcg/ldm-8.pth", "ldm", "RCG's LDM-8 for MoCo-v3 ViT-B (40 epochs)", "moco-b"
    ),
}


def read(path: Path, kind: str) -> dict[str, Tensor]:
    """The state dict in a file laid out as the published ones of `kind` are.

    Kinds are moco, rdm, tokenizer, mage, dit, autoencoder, ldm and ddpm. An RDM's and an LDM's
    state holds both the raw and the averaged weights; a DiT's is the averaged ones.

    Raises:
        PenumbraError: the file is missing, damaged, holds code, or is not of this kind.
    """
    if kind not in LAYOUTS:
        raise unknown("kind of checkpoint", kind, LAYOUTS, str(path))
    layout = LAYOUTS[kind]
    state = layout.find(_content(path, kind), path)
    lacking = [name for name in layout.required if not any(k.startswith(name) for k in state)]
    if lacking:
        raise PenumbraError(
            f"{path}: not {layout.what}: no tensor is named {listed(lacking)}…; "
            f"it holds {listed(sorted(state)) or 'no tensor'}. Expected is {_expected(path, kind)}"
        )
    return state


def known(path: Path | str) -> Published | None:
    """The published file that belongs at this path, if one does."""
    path = Path(path)
    entries = CATALOGUE.values()
    return next((e for e in entries if path.parts[-2:] == Path(e.file).parts), None)


def fingerprint(state: State) -> str:
    """SHA-256 of an encoder's tensors: names, types, shapes and bytes, in the order of names.

    BN's counters of batches are left out, as no output depends on them.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.endswith("num_batches_tracked"):
            continue
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_encoder(owner: str, state: State, expected: str) -> None:
    """Refuse a generative part that was trained on another encoder's representations.

    `expected` is the fingerprint of the encoder that made the representations. A state without
    an encoder inside cannot be checked and passes.

    Raises:
        PenumbraError: the encoder inside `state` differs.
    """
    inside = under(state, ENCODER)
    if inside and fingerprint(inside) != expected:
        entry = known(owner)
        own = CATALOGUE[entry.encoder].what if entry and entry.encoder else "that encoder"
        raise PenumbraError(
            f"{owner}: the encoder inside it, {_width(inside)} wide, has the fingerprint "
            f"{fingerprint(inside)[:12]}, but the representations were made by one with "
            f"{expected[:12]}; make them with {own}, or take the part trained for this one"
        )


def _width(encoder: State) -> int:
    return shape(encoder, "cls_token", "encoder")[-1]


def _expected(path: Path, kind: str) -> str:
    """What should lie at the path: the published file of that name, or all those of the kind."""
    entry = known(path)
    entries = [entry] if entry else [e for e in CATALOGUE.values() if e.kind == kind]
    named = (f"{e.what}, by default {WEIGHTS / e.file}" for e in entries)
    return " or ".join(named) or LAYOUTS[kind].what


def _content(path: Path, kind: str) -> Any:
    what = _expected(path, kind)
    if not path.is_file():
        raise PenumbraError(
            f"{path}: missing; expected is {what}. Put the published file there, or let the "
            f"workflow train this part"
        )
    return safe.opened(path) if path.suffix == ".safetensors" else opened(path, what)
