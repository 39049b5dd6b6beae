"""A small CLIP, as transformers saves one."""

import json
import string


def small_clip(path, size=16):
    """Two narrow layers with a vocabulary of letters and digits, for images of `size` pixels."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    letters = [*string.ascii_lowercase, *string.digits, "_", "{", "}"]
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(path / "vocab.json"), str(path / "merges.txt")).save_pretrained(path)
    square = {"height": size, "width": size}
    CLIPImageProcessor(size={"shortest_edge": size}, crop_size=square).save_pretrained(path)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    text = {"vocab_size": len(words), "num_attention_heads": 2, "max_position_embeddings": 40}
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1}
    vision = {"image_size": size, "patch_size": 8, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**sizes, **text, **ends}, vision_config={**sizes, **vision}, projection_dim=8
    )
    CLIPModel(config).save_pretrained(path)
    return path
