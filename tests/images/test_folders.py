"""Folders as users have them: what is left out, what is refused, what a class is."""

import os
import socket

import pytest

from penumbra.errors import PenumbraError
from penumbra.images.folders import DEEPEST
from penumbra.images.layout import listing, locate
from penumbra.images.readers import stored
from tests.images.helpers import PETS, photographs, read, spec, write_folder

UNLABELLED = spec(dataset=PETS | {"labelled": False}, count=None)


@pytest.fixture
def pets(tmp_path):
    write_folder(tmp_path / "pets" / "train")
    return tmp_path / "pets" / "train"


def digest(root, dataset=PETS):
    return listing(locate("pets", dataset, "train", root))


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "cat/._0.png", "__MACOSX/cat/0.png", ".ipynb_checkpoints/0-checkpoint.png",
     "cat/.ipynb_checkpoints/0.png", "dog/Thumbs.db", "@eaDir/0.png", "README.txt", "boxes.json",
     "cat/notes"],
)  # fmt: skip
def test_what_is_no_image_of_the_set_changes_nothing(tmp_path, pets, name):
    before = digest(tmp_path)
    expected = read(spec(), tmp_path)
    (pets / name).parent.mkdir(parents=True, exist_ok=True)
    photographs(1)[0].save(pets / name, "PNG")
    assert digest(tmp_path) == before
    found = read(spec(), tmp_path)
    assert (found.classes, found.origins) == (expected.classes, expected.origins)


def test_images_by_name_and_size_are_in_the_digest(tmp_path, pets):
    digests = [digest(tmp_path)]
    for change in (
        lambda: (pets / "cat" / "9.tif").write_bytes(b"1"),
        lambda: (pets / "cat" / "9.tif").write_bytes(b"12"),
        lambda: (pets / "cat" / "9.tif").rename(pets / "cat" / "8.tif"),
    ):
        change()
        digests.append(digest(tmp_path))
    assert len(set(digests)) == 4


def up(folder):
    (folder / "loop").symlink_to("..")


def far_up(folder):
    (folder / "loop").symlink_to(folder.parents[3])


def crosswise(folder):
    (folder / "there").symlink_to(folder.parent / "dog")
    (folder.parent / "dog" / "loop").symlink_to(folder)


def itself(folder):
    (folder / "loop").symlink_to("loop")


@pytest.mark.parametrize("link", [up, far_up, crosswise, itself])
def test_a_link_that_loops_is_named_by_who_reads_and_not_followed(tmp_path, pets, link):
    link(pets / "cat")
    assert digest(tmp_path)  # the call goes on
    with pytest.raises(PenumbraError, match=rf"{pets}/\S*loop (is a link|cannot be foll).*remove"):
        stored.entries(UNLABELLED, tmp_path)


def test_links_that_do_not_loop_are_followed_twice(tmp_path, pets):
    (pets / "cat" / "more").symlink_to(pets / "dog")
    (pets / "dog" / "9.png").symlink_to(pets / "cat" / "0.png")
    assert len(stored.entries(UNLABELLED, tmp_path)) == 6 + 3 + 2


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_would_hang_is_named_and_never_opened(tmp_path, pets, kind, monkeypatch):
    monkeypatch.chdir(pets)  # the names of sockets are short
    if kind == "fifo":
        os.mkfifo("x.png")
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("x.png")
    else:
        os.symlink("/dev/zero", "x.png")
    assert digest(tmp_path)
    with pytest.raises(PenumbraError, match=rf"{pets}/x.png is a .*and no file; remove it"):
        stored.entries(UNLABELLED, tmp_path)


@pytest.mark.parametrize("place", ["train", "train.parquet", "train-00000-of-00001.parquet"])
def test_a_pipe_in_the_place_of_a_split(tmp_path, place):
    (tmp_path / "pets").mkdir()
    os.mkfifo(tmp_path / "pets" / place)
    assert digest(tmp_path)
    with pytest.raises(PenumbraError, match=f"pets/{place}:? is (a|no) file"):
        stored.entries(UNLABELLED, tmp_path)


def test_a_split_that_is_a_file(tmp_path):
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "train").write_text("cat,dog")
    assert digest(tmp_path)
    with pytest.raises(PenumbraError, match="pets/train is a file; a folder of images is expected"):
        stored.entries(UNLABELLED, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_entered(tmp_path, pets):
    (pets / "cat").chmod(0)
    try:
        assert digest(tmp_path)
        with pytest.raises(PenumbraError, match=f"{pets}/cat cannot be read"):
            stored.entries(UNLABELLED, tmp_path)
    finally:
        (pets / "cat").chmod(0o700)


def test_a_name_that_is_too_long_for_the_system(tmp_path):
    dataset = PETS | {"folder": "x" * 300, "labelled": False}
    assert digest(tmp_path, dataset)
    with pytest.raises(PenumbraError, match=r"xxx/train.* cannot be read \(File name too long\)"):
        stored.entries(spec(dataset=dataset), tmp_path)


def test_folders_without_end(tmp_path, pets):
    (pets / "/".join("d" * (DEEPEST + 2))).mkdir(parents=True)
    assert digest(tmp_path)
    with pytest.raises(PenumbraError, match=f"more than {DEEPEST} folders deep"):
        stored.entries(UNLABELLED, tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"caf\xe9/0.png"])
def test_names_that_are_not_utf8_are_shown_readably(tmp_path, pets, name):
    file = os.path.join(os.fsencode(pets), name)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as opened:
        opened.write(b"1")
    assert digest(tmp_path)
    with pytest.raises(
        PenumbraError, match=r"train: the name 'caf\\xe9\S*' is not UTF-8; ren"
    ) as e:
        stored.entries(UNLABELLED, tmp_path)
    str(e.value).encode()


def test_a_folder_whose_name_ends_with_the_line(tmp_path, pets):
    (pets / "cat").rename(pets / "cat\r")
    with pytest.raises(PenumbraError, match=r"'cat\\r', holds a control character"):
        read(spec(), tmp_path)


def test_other_suffixes_are_told_and_refused_where_they_are_the_most(tmp_path, pets, capsys):
    for i in range(6):
        (pets / "cat" / f"{i}.heic").write_bytes(b"1")
        (pets / "cat" / f"{i}.json").write_text("{}")
    read(spec(), tmp_path)
    assert f"{pets}: 6 files that are not read (6 .heic)\n" in capsys.readouterr().out
    with pytest.raises(PenumbraError, match=r"6 images in .*, 6 files that .*\.heic.*expected 12"):
        read(spec(count=12), tmp_path)
    (pets / "cat" / "more").write_bytes(b"1")
    message = rf"{pets}: 6 images and 7 files that are not read \(6 \.heic, 1 without suffix\)"
    with pytest.raises(PenumbraError, match=message):
        read(spec(), tmp_path)


def test_a_folder_of_archives_alone_says_so(tmp_path):
    folder = tmp_path / "pets" / "train"
    folder.mkdir(parents=True)
    (folder / "train.zip").write_bytes(b"PK")
    with pytest.raises(PenumbraError, match=rf"{folder}: 0 images and 1 files .*1 \.zip.*Unpack"):
        stored.entries(UNLABELLED, tmp_path)


def test_tiny_imagenets_own_folders(tmp_path):
    for name in ("n01", "n02"):
        write_folder(tmp_path / "pets" / "train" / name, ("images",))
        (tmp_path / "pets" / "train" / name / f"{name}_boxes.txt").write_text("0 0 1 1")
    found = read(spec(), tmp_path)
    assert found.classes == ["n01", "n02"]
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    listed = PETS | {"classes_file": "one", "class_list": ["n02"]}
    assert read(spec(dataset=listed, count=3), tmp_path).origins[0] == "n02/images/0.png"


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat", "dog", "bird"), "3 classes, 'bird', 'cat', 'dog', and the catalogue states 2"),
        (("images",), "1 classes, 'images', and the catalogue states 2"),
        ((".",), r"no classes \(0\) and the catalogue states 2"),
    ],
)
def test_labelled_sets_have_the_classes_that_are_stated(tmp_path, classes, message):
    folder = tmp_path / "pets" / "train"
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        photographs(1)[0].save(folder / name / "0.png")
    with pytest.raises(PenumbraError, match=f"data set pets in {folder}: it has {message}"):
        read(spec(count=None), tmp_path)
    assert len(read(UNLABELLED, tmp_path)) == len(classes)


def test_an_image_beside_the_class_folders_is_named(tmp_path, pets):
    photographs(1)[0].save(pets / "stray.png")
    with pytest.raises(PenumbraError, match=r"'stray\.png' without a class among classes"):
        read(spec(count=None), tmp_path)


def test_classes_by_number_get_the_names_of_a_list(tmp_path):
    write_folder(tmp_path / "pets" / "train", ("0", "1"))
    named = PETS | {"class_names": ["cat", "dog"]}
    assert read(spec(dataset=named), tmp_path).classes == ["cat", "dog"]


def test_a_folder_without_images_is_named(tmp_path):
    (tmp_path / "pets/train").mkdir(parents=True)
    told = f"image set pets-train: there are no images in {tmp_path}/pets/train; put them there"
    for labelled in (True, False):
        with pytest.raises(PenumbraError, match=told):
            read(spec(dataset=PETS | {"labelled": labelled}), tmp_path)
