"""Published weights: what worlds name is stated, for what it is wanted, and whether it is right."""

import hashlib

import pytest

from penumbra.errors import PenumbraError
from penumbra.networks.loading.official import CATALOGUE
from penumbra.planning.weights import Wanted, stated, wanted
from tests.planning.helpers import OVERLAYS


@pytest.fixture
def named(world_of):
    """What a world that ships names, by place, with changes to its config."""

    def make(name, **changes):
        return {each.name: each for each in wanted(world_of(name, changes))}

    return make


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_that_a_shipped_world_names_is_stated(named, name):
    assert not [each.name for each in named(name).values() if each.known is None]


def test_all_that_is_read_by_layout_is_stated(root):
    assert {entry.file for entry in CATALOGUE.values()} <= stated(root / "config").keys()


def test_a_table_wants_what_its_outliers_are_made_by(named):
    """Also the encoder of an encoder's generator; and CLIP where it sorts categories."""
    files = named("imagenet", tables=["badood_table02", "badood_table03"], figures=[])
    both = ("badood_table02", "badood_table03")
    for file in ("mocov3/vitl.pth.tar", "rcg/rdm-mocov3vitl.pth", "rcg/mage-l.pth"):
        assert files[file].reports == both
    assert files["rcg/mage-b.pth"].reports == ()
    assert files["rcg/mage-b.pth"].keys == ("parts.mage-mocov3vitb",)
    assert files["clip-vit-base-patch16"].reports == ("badood_table03",)
    assert files["clip-vit-base-patch16"].keys == ("categories.clip.folder",)


def test_weights_of_a_model_are_wanted_by_who_reads_it(named):
    given = {"standard": {"method": "pretrained", "pretrained": {"weights": "mine.pth"}}}
    files = named("cifar", recipes=given, tables=["uat_table01"], figures=[])
    assert files["mine.pth"].reports == ("uat_table01",)
    assert "recipes.standard.pretrained.weights" in files["mine.pth"].keys
    assert files["mine.pth"].known is None


def test_a_digest_in_a_name_is_held_against_the_file(tmp_path):
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    for name, fits in ((f"net-{digest}.pth", True), ("net-01234567.pth", False), ("b.pth", True)):
        (tmp_path / name).write_bytes(b"weights")
        file = Wanted(name, tmp_path / name, (), (), None)
        assert (file.is_there, file.size) == (True, 7)
        if fits:
            file.check()
            continue
        with pytest.raises(PenumbraError, match=f"begins {digest}, and its name says 01234567"):
            file.check()
    assert not Wanted("c", tmp_path / "c", (), (), None).is_there


def test_what_is_stated_wrongly_is_told(tmp_path):
    (tmp_path / "weights.yaml").write_text("a.pth: {title: A, source: B, licence: C, gigabytes: 0}")
    with pytest.raises(PenumbraError, match="published weights: gigabytes is 0, not above 0"):
        stated(tmp_path)


def test_a_folder_is_no_file_and_a_file_no_folder(named, tmp_path):
    """Nor is a folder of other things a CLIP."""
    file, pipeline, clip = "rcg/mage-l.pth", "stable-diffusion-v1-4", "clip-vit-base-patch16"
    for folder in (file, clip):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "notes").write_text("mine")
    (tmp_path / pipeline).write_text("mine")
    (tmp_path / "rcg/mage-b.pth").touch()
    files = named("imagenet", weights_root=str(tmp_path))
    assert not any(each.is_there for each in files.values())
    assert files[clip].lacking == (tmp_path / clip / "config.json",)
    for name, message in (
        (file, "is a folder; put the published file"),
        (pipeline, "is a file; put the published folder"),
        ("rcg/mage-b.pth", "is empty"),
    ):
        with pytest.raises(PenumbraError, match=f"{name}: {message}"):
            files[name].check()
    files[clip].check()
