"""penumbra weights: what is there, what is wrong with it, and what each table lacks."""

import pytest
import torch

from penumbra import cli
from penumbra.networks.generative import moco

PLACE = "mocov3/vitb.pth.tar"


@pytest.fixture
def told(tmp_path, capsys):
    """Status and words of a call about the world imagenet, whose weights lie in tmp_path."""

    def call(*arguments):
        status = cli.main(
            ["weights", "imagenet", "--config", f"weights_root={tmp_path}", *arguments]
        )
        return status, capsys.readouterr().out

    (tmp_path / "mocov3").mkdir()
    return call


def test_what_is_there_and_what_is_lacking(told, tmp_path):
    (tmp_path / PLACE).write_bytes(bytes(12_000_000))
    unet = tmp_path / "stable-diffusion-v1-4/unet/config.json"
    unet.parent.mkdir(parents=True)
    unet.write_text("{}")
    status, text = told()
    assert status == 0
    assert "stable-diffusion-v1-4: not there\n  lacks " in text
    assert "World imagenet: 1 of " in text
    assert f"{PLACE}: there, 0.01 GB" in text
    assert "licence: CC BY-NC 4.0" in text
    assert "rcg/mage-l.pth: not there" in text
    lines = {line.split()[0]: line for line in text.splitlines() if " lacks " in line}
    assert "rcg/mage-l.pth" in lines["badood_table02"]
    assert PLACE not in lines["badood_table02"]


def test_a_file_is_read_as_its_part_does(told, tmp_path):
    with torch.device("meta"):
        state = moco.build(width=768, depth=12, heads=12).state_dict()
    content = {"state_dict": {f"module.base_encoder.{k}": v for k, v in state.items()}}
    torch.save(content, tmp_path / PLACE)
    with torch.device("meta"):  # so that the network is made without numbers, too
        status, text = told("--read")
    assert status == 0
    assert "read: mocov3-vitb 166 tensors of 106," in text
    del content["state_dict"]["module.base_encoder.pos_embed"]
    torch.save(content, tmp_path / PLACE)
    status, text = told("--read")
    assert status == 1
    assert "WRONG: " in text
    assert "pos_embed is missing" in text


def test_a_world_that_trains_its_own_needs_none(capsys):
    assert cli.main(["weights"]) == 0
    assert "names no published weights" in capsys.readouterr().out
