"""Stable Diffusion (Rombach et al. 2022): text encoder, U-Net and autoencoder of diffusers.

Its state has the tensors of all three under their folders' names, and as bytes the small files that
say how they are built and how text becomes tokens: one checkpoint is all that a job needs.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from penumbra.errors import PenumbraError
from penumbra.networks.loading.diffusers_files import (
    CONFIG,
    SCHEDULE,
    TOKENIZER,
    WEIGHTS,
    lacking,
    stable_diffusion_files,
)
from penumbra.networks.loading.states import State, adopt, under
from penumbra.networks.loading.whole import whole

FILES = "files."  # begins the names of what is no tensor
PLACE = "{}"  # of a class's name in a prompt
SCHEDULED = ("beta_start", "beta_end", "beta_schedule")  # what a schedule must say
MODELS: Mapping[str, Any] = {
    "text_encoder": CLIPTextModel,
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
}


def read(folder: Path) -> State:
    """The state of the pipeline in a folder.

    Raises:
        PenumbraError: a file is missing or damaged, or does not fit the networks.
    """
    absent = [str(path) for path in lacking(folder)]
    if absent:
        raise PenumbraError(
            f"{folder}: no Stable Diffusion as diffusers saves it with safetensors; missing: "
            f"{', '.join(absent)}"
        )
    state: dict[str, Tensor] = {}
    for name, kind in MODELS.items():
        # diffusers' own models are told to need no helper.
        plain = {} if kind is CLIPTextModel else {"low_cpu_mem_usage": False}
        try:
            model = whole(kind, folder / name, **plain)
        except Exception as error:  # of damaged files these libraries raise anything
            raise PenumbraError(f"{folder}: {name} is damaged or does not fit: {error}") from error
        state |= {f"{name}.{key}": tensor for key, tensor in model.state_dict().items()}
    weights = {*WEIGHTS.values()}
    small = (path for path in stable_diffusion_files(folder) if path.name not in weights)
    for path in small:
        content = np.frombuffer(path.read_bytes(), np.uint8).copy()
        state[f"{FILES}{path.relative_to(folder).as_posix()}"] = torch.from_numpy(content)
    try:
        problems = [*StableDiffusion(state).unfit()]
    except PenumbraError as error:
        raise PenumbraError(f"{folder}: {error}") from error
    if problems:
        raise PenumbraError(
            f"{folder}: {'; '.join(problems)}. Stable Diffusion 1 and 2 will do, which make images "
            "of texts; their relatives that edit or fill images, and XL, will not"
        )
    return state


class StableDiffusion(nn.Module):
    """The pipeline of a state; `width` (D) is that of token embeddings, `schedule` the scheduler's.

    Latents are (n, 4, S, S) as the U-Net denoises them, images `scale` times as large.

    Raises:
        PenumbraError: the state is incomplete.
    """

    def __init__(self, state: State):
        super().__init__()
        files = under(state, FILES)
        self.schedule: dict[str, Any] = _json(files, SCHEDULE.as_posix())
        # Built with weights, as position ids are in no state; the larger two come without.
        text = CLIPTextModel(CLIPTextConfig.from_dict(_json(files, f"text_encoder/{CONFIG}")))
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(_json(files, f"unet/{CONFIG}"))
            vae = AutoencoderKL.from_config(_json(files, f"vae/{CONFIG}"))
        for name, model in (("text_encoder", text), ("unet", unet), ("vae", vae)):
            adopt(model, under(state, f"{name}."), f"Stable Diffusion, {name}")
        self.text_encoder, self.unet, self.vae = text, unet, vae
        self.tokenizer = _tokenizer(files)
        self.eval().requires_grad_(False)

    def unfit(self) -> Iterator[str]:
        """Why the networks, the tokenizer and the schedule do not belong together, if so."""
        unet, vae = self.unet.config, self.vae.config
        sizes = {unet.in_channels, unet.out_channels, vae.latent_channels}
        if len(sizes) > 1:
            yield (
                f"its U-Net reads {unet.in_channels} channels and gives {unet.out_channels}, and "
                f"its autoencoder's latents have {vae.latent_channels}"
            )
        if unet.cross_attention_dim != self.width:
            yield (
                f"its U-Net reads texts of width {unet.cross_attention_dim}, and its text encoder "
                f"gives {self.width}"
            )
        if not isinstance(unet.sample_size, int):
            yield f"its U-Net's sample_size is {unet.sample_size}, and one number is wanted"
        most = max(self.tokenizer.get_vocab().values(), default=-1)
        if most >= (size := self.text_encoder.config.vocab_size) or most < 0:
            yield f"its tokenizer counts {most + 1} tokens, and its text encoder {size}"
        if absent := [key for key in SCHEDULED if key not in self.schedule]:
            yield f"{SCHEDULE} says no {', '.join(absent)}"

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.unet.parameters()).device

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Of an image's latents: channels, height, width."""
        return self.unet.config.in_channels, self.side, self.side

    @property
    def side(self) -> int:
        """Of the latents that the U-Net was trained on."""
        return int(self.unet.config.sample_size)

    @property
    def scale(self) -> int:
        """Pixels of an image's side per latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def width(self) -> int:
        """Numbers of a token's embedding."""
        return int(self.text_encoder.config.hidden_size)

    def words(self, names: Sequence[str]) -> Tensor:
        """Token embeddings (C, D) of names in words; of several tokens their mean.

        Raises:
            PenumbraError: a name has no token.
        """
        table = self.text_encoder.get_input_embeddings().get_parameter("weight")
        rows = []
        for name in names:
            ids = self._ids(name)
            if not ids:
                raise PenumbraError(f"class {name!r}: the tokenizer reads no word in it")
            rows.append(table[torch.tensor(ids, device=table.device)].mean(0))
        return torch.stack(rows)

    def contexts(self, texts: Sequence[str]) -> Tensor:
        """What the U-Net sees of texts: (n, L, D).

        Raises:
            PenumbraError: a text is longer than the text encoder reads.
        """
        return self._encoded([self._framed(text, self._ids(text)) for text in texts])

    def contexts_with(self, prompts: Sequence[str], vectors: Tensor) -> Tensor:
        """(n, L, D) of prompts in which one vector (n, D) each stands in the place `{}`.

        Raises:
            PenumbraError: a prompt has no such place, or is too long.
        """
        rows, places = [], []
        for prompt in prompts:
            before, place, after = prompt.partition(PLACE)
            if not place:
                raise PenumbraError(f"{prompt!r} has no {PLACE} for a class")
            first = self._ids(before)
            # Which token it is does not matter, but it must be none that ends a text.
            rows.append(self._framed(prompt, [*first, 0, *self._ids(after)]))
            places.append(1 + len(first))
        here = (torch.arange(len(rows)), torch.tensor(places))

        def replaced(module: nn.Module, given: Any, output: Tensor) -> Tensor:
            output = output.clone()
            output[here] = vectors.to(output.dtype)
            return output

        return self._encoded(rows, replaced)

    def encode(self, images: Tensor) -> Tensor:
        """Latents (n, 4, S, S) of images (n, 3, H, W) in [-1, 1]: the mode of their posterior."""
        posterior = self.vae.encode(images).latent_dist
        return posterior.mode() * self.vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Images (n, 3, H, W), about in [-1, 1]."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample

    def predict(self, latents: Tensor, step: int, contexts: Tensor) -> Tensor:
        """The U-Net's estimate at a time step, (n, 4, S, S), under contexts (n, L, D)."""
        return self.unet(latents, step, encoder_hidden_states=contexts).sample

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text.strip(), add_special_tokens=False)["input_ids"]

    def _framed(self, text: str, ids: list[int]) -> list[int]:
        length = self.text_encoder.config.max_position_embeddings
        tokenizer = self.tokenizer
        framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
        if len(framed) > length:
            raise PenumbraError(
                f"{text!r} has {len(framed)} tokens, and the text encoder reads {length}"
            )
        return framed + [tokenizer.pad_token_id] * (length - len(framed))

    def _encoded(self, rows: list[list[int]], hook: Callable | None = None) -> Tensor:
        table = self.text_encoder.get_input_embeddings()
        handle = table.register_forward_hook(hook) if hook else None
        try:
            return self.text_encoder(torch.tensor(rows, device=self.device)).last_hidden_state
        finally:
            if handle:
                handle.remove()


def _json(files: State, name: str) -> dict[str, Any]:
    if name not in files:
        raise PenumbraError(f"Stable Diffusion: {name} is missing in its checkpoint")
    try:
        held = json.loads(_bytes(files[name]))
    except ValueError as error:
        raise PenumbraError(f"Stable Diffusion: {name} is no JSON ({error})") from error
    if not isinstance(held, dict):
        raise PenumbraError(f"Stable Diffusion: {name} holds a {type(held).__name__}, not keys")
    return held


def _bytes(content: Tensor) -> bytes:
    return content.cpu().numpy().tobytes()


def _tokenizer(files: State) -> CLIPTokenizer:
    """Out of its files, which it can be read from a folder alone."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            if Path(name).parent == TOKENIZER:
                (Path(folder) / Path(name).name).write_bytes(_bytes(content))
        try:
            return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # transformers raises anything where files are damaged
            raise PenumbraError(f"Stable Diffusion: its tokenizer is damaged: {error}") from error
