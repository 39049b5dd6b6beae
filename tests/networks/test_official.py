"""Checkpoint files in the published layouts: what loads, and what each bad file is told."""

import argparse
import os

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from penumbra.errors import PenumbraError
from penumbra.networks.generative import dit, moco
from penumbra.networks.generative.ldm import Unet, averaged
from penumbra.networks.generative.moco import MoCo, prepare
from penumbra.networks.loading import official

ENCODER = {
    "width": 16, "depth": 15, "heads": 2, "image_size": 32, "projector": 24, "representation": 8,
}  # fmt: skip
NAMESPACE = argparse.Namespace(config="config.yaml", epochs=200)


def encoder(seed=0, **options):
    torch.manual_seed(seed)
    return moco.build(**ENCODER | options)


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def moco_content(model, other):
    """As MoCo-v3 writes it: three networks below the prefix of DistributedDataParallel."""
    state = {f"module.base_encoder.{k}": v for k, v in model.state_dict().items()}
    state |= {f"module.momentum_encoder.{k}": v for k, v in other.state_dict().items()}
    state |= {"module.predictor.0.weight": torch.zeros(4, 4)}
    optimiser = {"state": {}, "param_groups": []}
    return {"epoch": 300, "arch": "vit_base", "state_dict": state, "optimizer": optimiser}


def rcg_content(state, averages=None):
    """As RCG writes it."""
    return {
        "model": state, "model_ema": averages, "optimizer": {}, "epoch": 199, "scaler": {},
        "args": NAMESPACE,
    }  # fmt: skip


def rdm_state(**more):
    state = {
        "model.diffusion_model.input_proj.weight": torch.ones(4, 8),
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(7, dtype=torch.int32),
        "model_ema.diffusion_modelinput_projweight": torch.zeros(4, 8),
    }
    return state | more


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_moco_is_the_query_encoder_with_its_projector(tmp_path):
    query, momentum = encoder(0), encoder(1)
    path = save(tmp_path / "mocov3/vitb.pth.tar", moco_content(query, momentum))
    state = official.read(path, "moco")
    assert equal(state, query.state_dict())
    loaded = MoCo.from_state(state, heads=2)
    x = query.inputs(torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8))
    assert torch.equal(loaded.represent(x), query.represent(x))


def test_the_published_vit_l_has_wrong_names(tmp_path):
    model = encoder()
    content = moco_content(model, model)
    renames = {
        "blocks.13.norm1.": "blocks.13.norm13.", "blocks.13.mlp.fc1.": "blocks.13.mlp.fc13.",
        "blocks.14.norm2.": "blocks.14.norm14.", "blocks.14.mlp.fc2.": "blocks.14.mlp.fc14.",
    }  # fmt: skip
    for right, wrong in renames.items():
        content["state_dict"] = {
            k.replace(right, wrong): v for k, v in content["state_dict"].items()
        }
    assert any("fc14" in name for name in content["state_dict"])
    state = official.read(save(tmp_path / "vitl.pth.tar", content), "moco")
    assert equal(state, model.state_dict())


def test_rdm_needs_its_averaged_weights(tmp_path):
    state = rdm_state()
    path = save(tmp_path / "rcg/rdm-mocov3vitl.pth", rcg_content(state))
    assert equal(official.read(path, "rdm"), state)
    raw = {k: v for k, v in state.items() if not k.startswith("model_ema.diffusion")}
    with pytest.raises(PenumbraError, match=r"model_ema\.diffusion_model"):
        official.read(save(path, rcg_content(raw)), "rdm")


@pytest.mark.parametrize("wrapped", [False, True])
def test_tokenizer_is_bare_or_below_state_dict(tmp_path, wrapped):
    names = ("encoder.conv_in.weight", "decoder.conv_in.bias", "quantize.embedding.weight")
    state = {name: torch.rand(2) for name in names}
    path = save(tmp_path / "vqgan.ckpt", {"state_dict": state} if wrapped else state)
    assert equal(official.read(path, "tokenizer"), state)


def test_dit_is_the_averaged_network(tmp_path):
    torch.manual_seed(0)
    model = dit.build(width=8, depth=1, heads=2, side=4, representation=6)
    averages = {k: v + 1 for k, v in model.state_dict().items()}
    path = save(tmp_path / "dit.pth", rcg_content(model.state_dict(), averages))
    state = official.read(path, "dit")
    assert equal(state, averages)
    assert equal(dict(dit.DiT.from_state(state, heads=2).state_dict()), averages)
    with pytest.raises(PenumbraError, match="no state dict 'model_ema'"):
        official.read(save(path, rcg_content(model.state_dict())), "dit")


def test_ldm_samples_with_its_averaged_weights(tmp_path):
    unet = Unet(width=32, multipliers=(1, 2), blocks=1, attention=(False, True), context=6)
    raw = unet.state_dict()
    state = {f"model.diffusion_model.{k}": v for k, v in raw.items()}
    places = {f"model_ema.diffusion_model{k.replace('.', '')}": v + 1 for k, v in raw.items()}
    state |= places | {"first_stage_model.decoder.conv_in.bias": torch.zeros(2)}
    found = averaged(official.read(save(tmp_path / "ldm.pth", rcg_content(state)), "ldm"))
    assert equal(dict(Unet.from_state(found).state_dict()), {k: v + 1 for k, v in raw.items()})
    for place in list(places)[:12]:
        del state[place]
    with pytest.raises(PenumbraError, match=r"no averaged weights.*\(12 in all\)"):
        averaged(state)


def test_missing_file_names_place_and_content(tmp_path):
    for entry in official.CATALOGUE.values():
        with pytest.raises(PenumbraError) as error:
            official.read(tmp_path / "weights" / entry.file, entry.kind)
        assert f"weights/{entry.file}: missing; expected is {entry.what}," in str(error.value)
    with pytest.raises(PenumbraError, match=r"MAGE-B.*weights/rcg/mage-b\.pth or MAGE-L"):
        official.read(tmp_path / "mine.pth", "mage")


def test_catalogue_holds_together():
    for entry in official.CATALOGUE.values():
        assert entry.kind in official.LAYOUTS
        generative = entry.kind in ("rdm", "mage", "dit", "ldm")
        assert (entry.encoder is not None) == generative
        assert not generative or official.CATALOGUE[entry.encoder].kind == "moco"
    files = [entry.file for entry in official.CATALOGUE.values()]
    assert len(set(files)) == len(files)


def test_unknown_names_are_told_the_nearest(tmp_path):
    with pytest.raises(PenumbraError, match=r"kind of checkpoint 'moko'.*did you mean 'moco'"):
        official.read(tmp_path / "vitb.pth.tar", "moko")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_file(tmp_path, zipped, share):
    path = tmp_path / "rdm.pth"
    torch.save(rcg_content(rdm_state()), path, _use_new_zipfile_serialization=zipped)
    assert equal(official.read(path, "rdm"), rdm_state())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(PenumbraError, match=r"truncated or damaged \([\d,]+ bytes\)"):
        official.read(path, "rdm")


def test_a_file_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "rdm.pth"
    path.write_text("<html>Google Drive can't scan this file for viruses</html>")
    with pytest.raises(PenumbraError, match="truncated or damaged"):
        official.read(path, "rdm")
    for content in ([1, 2], {"weights": rdm_state()}):
        with pytest.raises(PenumbraError, match=r"no state dict 'model'; it has (list|weights)"):
            official.read(save(path, content), "rdm")
    with pytest.raises(PenumbraError, match="not tensors: epoch"):
        official.read(save(path, {"model": {"epoch": 3}}), "rdm")


class Payload:
    """Pickles to a call that would leave a folder behind."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_refused_and_not_run(tmp_path, zipped):
    path, trace = tmp_path / "rdm.pth", tmp_path / "trace"
    content = rcg_content(rdm_state()) | {"args": Payload(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(PenumbraError, match="refused, as it holds pickled code"):
        official.read(path, "rdm")
    assert not trace.exists()


def test_another_kind_of_file(tmp_path):
    path = save(tmp_path / "mage.pth", rcg_content(rdm_state()))
    with pytest.raises(
        PenumbraError, match=r"not a MAGE: no tensor is named token_emb.*holds model"
    ):
        official.read(path, "mage")


def test_what_does_not_fit_is_listed():
    state = encoder().state_dict()
    for i in range(12):
        del state[f"blocks.{i}.norm1.bias"]
    state["extra"] = torch.zeros(2)
    state["head.3.weight"] = torch.zeros(24, 23)
    with pytest.raises(PenumbraError) as error:
        MoCo.from_state(state, heads=2)
    text = str(error.value)
    assert text.count(".norm1.bias") == 10
    assert "(12 in all)" in text
    assert "not expected: extra" in text
    assert "head.3.weight is (24, 23), not (24, 24)" in text
    del state["pos_embed"]
    with pytest.raises(PenumbraError, match="pos_embed is missing among"):
        MoCo.from_state(state, heads=2)


def test_heads_follow_from_published_widths_only():
    model = moco.build(width=384, depth=1, heads=12, image_size=32, projector=8, representation=4)
    assert MoCo.from_state(model.state_dict()).blocks[0].attn.heads == 12
    with pytest.raises(PenumbraError, match="give its number of attention heads"):
        MoCo.from_state(encoder().state_dict())


def test_a_generator_belongs_to_its_encoder():
    one, other = encoder(0).state_dict(), encoder(1).state_dict()
    owner = {f"pretrained_encoder.{k}": v for k, v in one.items()} | {"norm.bias": torch.ones(3)}
    file = "weights/rcg/mage-b.pth"
    official.check_encoder(file, owner, official.fingerprint(one))
    official.check_encoder("RDM", {"norm.bias": torch.ones(3)}, official.fingerprint(other))
    with pytest.raises(PenumbraError, match=r"inside it, 16 wide.*MoCo-v3 ViT-B/16"):
        official.check_encoder(file, owner, official.fingerprint(other))


def test_fingerprint_sees_names_shapes_and_bytes_only():
    state = encoder().state_dict()
    wanted = official.fingerprint(state)
    shuffled = {k: state[k].clone() for k in reversed(list(state))}
    shuffled["head.1.num_batches_tracked"] += 5
    assert official.fingerprint(shuffled) == wanted
    for change in (
        {"norm.bias": state["norm.bias"] + 1e-7},
        {"norm.bias": state["norm.bias"][None]},
        {"norm.bias": state["norm.weight"], "norm.weight": state["norm.bias"]},
    ):
        assert official.fingerprint(state | change) != wanted


@pytest.mark.parametrize("size", [(640, 427), (301, 500), (256, 256), (90, 61), (257, 999)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_preparation_is_torchvisions(size, mode):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(values).convert(mode)
    wanted = Compose([Resize(256, InterpolationMode.BICUBIC), CenterCrop(256)])(
        image.convert("RGB")
    )
    assert np.array_equal(prepare(image), np.asarray(wanted).transpose(2, 0, 1))


def test_images_of_the_encoders_own_size_are_not_resized():
    model = encoder()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (moco.MEAN, moco.STD))
    assert torch.equal(model.inputs(pixels), (pixels / 255 - mean) / std)
    assert model.inputs(pixels.repeat(1, 1, 2, 3)).shape == (2, 3, 32, 32)


def test_representations_are_standardised_in_any_mode():
    model = encoder().eval()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = model.represent(x)
    assert torch.allclose(found.square().sum(1), torch.tensor(7.0))
    statistics = model.head[1].running_mean.clone()
    assert torch.equal(model.train().represent(x), found)
    assert torch.equal(model.head[1].running_mean, statistics)


@pytest.mark.parametrize("prefix", ["base_encoder.", "module.", ""])
def test_moco_of_one_process_or_the_encoder_alone(tmp_path, prefix):
    model = encoder()
    state = {f"{prefix}{k}": v for k, v in model.state_dict().items()}
    for content in ({"state_dict": state}, state):
        path = save(tmp_path / "vitb.pth.tar", content)
        assert equal(official.read(path, "moco"), model.state_dict())


def test_a_linear_probe_has_no_projector(tmp_path):
    names = ("cls_token", "blocks.0.norm1.weight", "head.weight", "head.bias")
    state = {f"module.{name}": torch.zeros(2) for name in names}
    path = save(tmp_path / "linear.pth.tar", {"state_dict": state})
    with pytest.raises(PenumbraError, match=rf"{path}: a linear probe of MoCo-v3.*Take the check"):
        official.read(path, "moco")


def test_another_network_in_mocos_place_is_told_what_it_holds(tmp_path):
    state = {"module.momentum_encoder.cls_token": torch.zeros(2)}
    path = save(tmp_path / "vitb.pth.tar", {"state_dict": state})
    message = rf"{path}: not a MoCo-v3 encoder: .*it holds momentum_encoder\.cls_token.*Expected is"
    with pytest.raises(PenumbraError, match=message):
        official.read(path, "moco")
    with pytest.raises(PenumbraError, match="it holds no tensor"):
        official.read(save(path, {"state_dict": {}}), "moco")


@pytest.mark.parametrize("number", [np.float64(71.5), np.float32(1), np.int64(3), np.bool_(True)])
@pytest.mark.parametrize("zipped", [True, False])
def test_numbers_of_numpy_are_left_unread(tmp_path, number, zipped):
    content = {**moco_content(encoder(0), encoder(1)), "best_acc1": number}
    path = tmp_path / "vitb.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert equal(official.read(path, "moco"), encoder(0).state_dict())


def test_refused_code_is_named(tmp_path):
    path = save(tmp_path / "rdm.pth", rcg_content(rdm_state()) | {"args": Payload(tmp_path / "t")})
    with pytest.raises(PenumbraError, match=r"pickled code \(posix\.mkdir\).*state dict alone"):
        official.read(path, "rdm")
