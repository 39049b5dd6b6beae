"""A small Stable Diffusion, as diffusers saves one: a CLIP of two layers, narrow U-Net and VAE."""

import json
import string

LETTERS = [*string.ascii_lowercase, *string.digits, "-", "_"]
WORDS = [*LETTERS, *(f"{c}</w>" for c in LETTERS), "<|startoftext|>", "<|endoftext|>"]


def small_stable_diffusion(path, length=48, side=4):
    """Latents of `side`, images twice as large; its words are letters and digits."""
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    start, end = len(WORDS) - 2, len(WORDS) - 1
    tokenizer = path / "tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(WORDS)}))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    files = str(tokenizer / "vocab.json"), str(tokenizer / "merges.txt")
    CLIPTokenizer(*files, model_max_length=length).save_pretrained(tokenizer)
    text = CLIPTextConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=length, bos_token_id=start,
        eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(path / "text_encoder")
    blocks = {"layers_per_block": 1, "norm_num_groups": 8}
    UNet2DConditionModel(
        sample_size=side, block_out_channels=(32, 32), cross_attention_dim=16,
        attention_head_dim=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **blocks,
    ).save_pretrained(path / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(16, 16), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, sample_size=2 * side, **blocks,
    ).save_pretrained(path / "vae")  # fmt: skip
    PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
        set_alpha_to_one=False, steps_offset=1,
    ).save_pretrained(path / "scheduler")  # fmt: skip
    return path
