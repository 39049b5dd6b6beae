"""penumbra init: what it finds, refuses, leaves out and writes."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from penumbra.cli import main
from penumbra.errors import PenumbraError
from penumbra.images.chosen import chosen
from penumbra.images.lists import lines_of
from penumbra.own.choices import choose
from penumbra.planning.base import laid_over
from penumbra.planning.images import Images
from penumbra.planning.tables import Tables
from penumbra.planning.yaml_files import load_yaml
from penumbra.store.artifacts import write_checkpoint
from tests.images.helpers import photographs, write_parquet
from tests.planning.helpers import checked, required


def noise(folder, count, seed=0, size=40, suffix="jpg"):
    """Distinct images, flat in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(
            folder / f"{i}.{suffix}"
        )


def classes(folder, names=("cat", "dog"), each=12, seed=0, **options):
    for number, name in enumerate(names):
        noise(folder / name, each, seed + 100 * number, **options)


@pytest.fixture
def given(tmp_path):
    """ID images in a folder a class, and two sets of OOD images."""
    classes(tmp_path / "pets", seed=1)
    noise(tmp_path / "street", 5, seed=7)
    noise(tmp_path / "sky", 5, seed=8)
    return tmp_path


@pytest.fixture
def init(given, capsys):
    """The command on these; gives its status and what it says."""

    def call(*more, pets="pets", ood="street"):
        words = ["init", str(given / "own"), "--id", str(given / pets), *map(str, more)]
        status = main([*words, "--ood", f"Street={given / ood}"])
        told = capsys.readouterr()
        return status, told.out + told.err

    return call


@pytest.fixture
def world(root, given):
    """The checked world of the file that was written."""

    def read():
        file = given / "own/penumbra.yaml"
        files, whole = laid_over(root / "config", load_yaml(file))
        made = checked(whole, root / "config", [*files, file])
        required(made)
        return made

    return read


def refused(init, message, *more, **sets):
    status, said = init(*more, **sets)
    assert status == 1
    assert said.rpartition("error: ")[2].strip()
    for words in [message] if isinstance(message, str) else message:
        assert words in said.rpartition("error: ")[2]
    assert "Traceback" not in said


def test_one_folder_is_split_by_share_and_the_world_is_whole(init, world, given):
    status, said = init("--calibration-ood", f"Night sky={given / 'sky'}")
    assert status == 0
    assert "ID: 24 images" in said
    assert "  classes   2: cat 12, dog 12\n  sizes     40×40\n  formats   JPEG 24;" in said
    made = world()
    assert made.name == "own"
    assert made.root == given
    sets = made.config["image_sets"]
    assert {n: e.get("share") for n, e in sets.items() if n in ("train", "heldout", "test")} == {
        "train": [0.0, 0.7], "heldout": [0.7, 0.8], "test": [0.8, 1.0],
    }  # fmt: skip
    (bench,) = made.config["benchmarks"].values()
    assert (bench["ood"], bench["calibration_ood"]) == ({"far": ["street"]}, "night-sky")
    assert len((given / "own/penumbra.yaml").read_text().splitlines()) <= 32
    cells = Tables(made).of("own_scores")
    assert all(cell.files for cell in cells)
    assert len({Images(made).spec({"image_set": name}) for name in sets}) == len(sets)


def test_the_paths_of_other_splits_are_in_no_spec(init, world, given):
    init()
    before = Images(world()).spec({"image_set": "train"})
    file = given / "own/penumbra.yaml"
    file.write_text(file.read_text().replace("street: {path: street}", "street: {path: sky}"))
    assert Images(world()).spec({"image_set": "train"}) == before


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("train", "test"), {"train": "train", "heldout": "train", "test": "test"}),
        (("train", "val"), {"train": "train", "heldout": "train", "test": "test"}),
        (("Train", "val", "test"), {"train": "train", "heldout": "heldout", "test": "test"}),
    ],
)
def test_folders_of_splits_are_found(init, world, given, names, roles):
    for number, name in enumerate(names):
        classes(given / "cut" / name, seed=1000 * number)
    assert init(pets="cut")[0] == 0
    made = world()
    sets = made.config["image_sets"]
    assert {role: sets[role]["split"] for role in roles} == roles
    assert ("share" in sets["heldout"]) == (len(names) == 2)
    tested = made.config["datasets"]["own-id"]["splits"]["test"]["path"]
    assert tested == f"cut/{'test' if 'test' in names else 'val'}"


def test_parquet_files_of_splits_are_found(init, world, given):
    of_training = ("train-00000-of-00002", "train-00001-of-00002")
    for number, name in enumerate((*of_training, "test", "train-extra-00000-of-00001")):
        write_parquet(given / "hub" / f"{name}.parquet", 8, first=8 * number)
    assert init(pets="hub")[0] == 0
    splits = world().config["datasets"]["own-id"]["splits"]
    assert splits["train"]["path"] == [f"hub/{name}.parquet" for name in of_training]
    assert splits["test"]["path"] == "hub/test.parquet"
    (given / "hub/train-00001-of-00002.parquet").unlink()
    refused(init, "1 of 2 files are missing: train-00001-of-00002", "--force", pets="hub")


def test_a_folder_of_parquet_files_alone_is_these(init, world, given):
    write_parquet(given / "hub/data-00000-of-00002.parquet", 16)
    write_parquet(given / "hub/data-00001-of-00002.parquet", 16, first=16)
    write_parquet(given / "far/any.parquet", 4, first=40)
    (given / "hub/.DS_Store").write_bytes(b"1")
    assert init(pets="hub", ood="far")[0] == 0
    datasets = world().config["datasets"]
    assert datasets["own-ood"]["splits"]["street"]["path"] == "far/any.parquet"
    assert len(datasets["own-id"]["splits"]["all"]["path"]) == 2
    (given / "hub/data-00000-of-00002.parquet").unlink()
    refused(init, "1 of 2 files are missing: data-00000-of-00002", "--force", pets="hub")


def test_numbered_classes_of_parquet_are_counted(init, world, given):
    write_parquet(given / "numbers.parquet", 24, classes="")
    assert init(pets="numbers.parquet")[0] == 0
    assert world().config["datasets"]["own-id"]["classes"] == 2


def relabelled(file, labels):
    """The file with other labels, whose metadata name no classes."""
    table = pq.read_table(file).replace_schema_metadata(None)
    pq.write_table(table.set_column(1, "label", [labels]), file)


@pytest.mark.parametrize("largest", [24, 5_000, 10**7, 2**63])
def test_labels_that_are_ids_are_no_numbers_of_classes(init, given, largest):
    write_parquet(given / "ids.parquet", 24, classes="")
    relabelled(given / "ids.parquet", pa.array([0, largest // 2, largest] * 8, pa.uint64()))
    told = [f"ids.parquet: the largest label is {largest} among 24 images", "from 0 to one less"]
    refused(init, told, pets="ids.parquet")


def test_named_classes_may_be_more_than_images(init, given):
    names = ",".join(f"c{i}" for i in range(30))
    write_parquet(given / "named.parquet", 24, classes=names)
    table = pq.read_table(given / "named.parquet")
    labels = table.set_column(1, "label", [[i + 6 for i in range(24)]])
    pq.write_table(labels, given / "named.parquet")
    refused(init, "too few images of 'c0 (0)', 'c1 (0)'", pets="named.parquet")


def test_a_test_set_may_have_fewer_images_than_classes(init, given):
    write_parquet(given / "hub/train.parquet", 60, classes="")
    relabelled(given / "hub/train.parquet", [i % 6 for i in range(60)])
    write_parquet(given / "hub/test.parquet", 2, classes="", first=60)
    relabelled(given / "hub/test.parquet", [0, 5])
    assert init(pets="hub")[0] == 0
    relabelled(given / "hub/test.parquet", [0, 10**7])
    refused(init, ["test.parquet: the largest label is 10000000"], "--force", pets="hub")


def test_lists_and_a_test_set_elsewhere(init, world, given):
    rows = sorted((given / "pets").rglob("*.jpg"))
    train = "".join(f"{path.relative_to(given)} {path.parent.name}\n" for path in rows[:-4])
    (given / "train.txt").write_text(train)
    classes(given / "later", each=3, seed=50)
    status, _ = init("--id-test", given / "later", "--name", "My.World 2", pets="train.txt")
    assert status == 0
    made = world()
    assert made.name == "my-world-2"
    assert made.config["image_sets"]["test"]["split"] == "test"


BROKEN = {
    "pets/cat/0.jpg": b"",
    "pets/dog/3.jpg": None,  # cut
    "street/1.jpg": b"no image",
}


def break_some(given):
    for name, text in BROKEN.items():
        file = given / name
        file.write_bytes(file.read_bytes()[:-200] if text is None else text)
    (given / "pets/.DS_Store").write_bytes(b"1")
    (given / "pets/cat/.DS_Store").write_bytes(b"1")


def test_broken_images_are_named_and_stop(init, given):
    break_some(given)
    named = [
        "3 images cannot be read", "ID: cat/0.jpg: it is empty", "ID: dog/3.jpg: image file is",
        "Street: 1.jpg: it is of no format that is read", "--leave-out-broken",
    ]  # fmt: skip
    refused(init, named)
    assert not (given / "own").exists()


def test_broken_images_are_left_out_by_lists(init, world, given):
    break_some(given)
    assert init("--leave-out-broken")[0] == 0
    assert [len(lines_of(given / "own" / f"{name}.csv")) for name in ("id", "street")] == [22, 4]
    made = world()
    for name, count in (("train", 16), ("street", 4)):
        config = json.loads(Images(made).spec({"image_set": name}))["config"]
        entries = chosen(config, made.root)
        assert len(entries) == count
        assert [row.pixels().shape for row in entries.rows] == [(3, 32, 32)] * count


def test_a_list_without_broken_images_is_not_written_over_a_file_of_ones_own(init, given):
    break_some(given)
    mine = given / "own/id.csv"
    mine.parent.mkdir()
    mine.write_text("path,label,note\nmine,cat,kept\n")
    refused(init, ["id.csv: is there already", "--force"], "--leave-out-broken")
    assert mine.read_text() == "path,label,note\nmine,cat,kept\n"
    assert init("--leave-out-broken", "--force")[0] == 0
    assert "kept" not in mine.read_text()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("0", "cat"), "the label 'cat' stands beside '0' in line 2; number all"),
        (("0.5", "1.5"), "the label '0.5' is no whole number"),
        (("cat", " dog"), "the label ' dog' begins or ends with a blank"),
    ],
)
def test_no_list_is_written_that_reads_otherwise_than_its_folders(init, given, names, told):
    classes(given / "odd", names)
    (given / "odd" / names[0] / "0.jpg").write_bytes(b"")
    told = ["would not be read as the folders are", told, "Rename the folders"]
    refused(init, told, "--leave-out-broken", pets="odd")
    assert not (given / "own").exists()


def test_broken_rows_of_parquet_are_not_left_out(init, given):
    file = given / "numbers.parquet"
    write_parquet(file, 24)
    table = pq.read_table(file)
    rows = table["image"].to_pylist()
    rows[3]["bytes"] = b""
    pq.write_table(table.set_column(0, "image", [rows]), file)
    refused(init, "numbers.parquet[3]: it is empty", pets="numbers.parquet")
    refused(
        init, "cannot be left out of a Parquet file", "--leave-out-broken", pets="numbers.parquet"
    )


def test_an_image_of_two_sets_is_told(init, given):
    shutil.copy(given / "pets/dog/2.jpg", given / "street/stray.jpg")
    shutil.copy(given / "pets/dog/4.jpg", given / "pets/cat/again.jpg")
    status, said = init()
    assert status == 0
    assert "note: 1 image is both ID and OOD, in ID and Street: dog/2.jpg and stray.jpg" in said
    assert "note: 1 image of ID is in it twice: cat/again.jpg and dog/4.jpg" in said


def test_what_betrays_a_set_is_told(init, given):
    noise(given / "icons", 5, seed=9, size=16, suffix="png")
    for file in (given / "icons").iterdir():
        Image.open(file).convert("L").save(file)
    _, said = init(ood="icons")
    assert "note: Street is PNG, ID images are JPEG" in said
    assert "note: Street are grey, ID images are coloured" in said
    assert "note: Street is 16 pixels wide, ID images 40" in said


def test_columns_that_are_not_read_are_told(init, given):
    rows = sorted((given / "pets").rglob("*.jpg"))
    lines = "".join(f"{p.relative_to(given)},train,{p.parent.name},{p.name}\n" for p in rows)
    (given / "list.csv").write_text("path,Split,label,note\n" + lines)
    write_parquet(given / "far.parquet", 4, first=40)
    table = pq.read_table(given / "far.parquet").append_column("id", [[1, 2, 3, 4]])
    pq.write_table(table, given / "far.parquet")
    status, said = init(pets="list.csv", ood="far.parquet")
    assert status == 0
    mend = "list each split's images in a file of its own"
    assert f"note: ID: columns not read: Split, note; {mend}\n" in said
    assert "note: Street: columns not read: id\n" in said


def test_an_index_of_pandas_is_no_column_to_tell(init, given):
    rows = [(str(p), p.parent.name) for p in sorted((given / "pets").rglob("*.jpg"))]
    pd.DataFrame(rows, columns=["path", "label"]).to_csv(given / "list.csv")
    write_parquet(given / "far.parquet", 4, first=40)
    indexed = pq.read_table(given / "far.parquet").append_column("__index_level_0__", [range(4)])
    pq.write_table(indexed, given / "far.parquet")
    status, said = init(pets="list.csv", ood="far.parquet")
    assert status == 0
    assert "columns not read" not in said


def test_class_folders_without_images_are_told(init, given):
    (given / "pets/owl/images").mkdir(parents=True)
    (given / "pets/fox").mkdir()
    (given / "pets/fox/notes.txt").write_text("none yet")
    (given / "street/none").mkdir()
    status, said = init()
    assert status == 0
    assert "note: ID: no images in 'fox', 'owl': these are no classes\n" in said
    assert "none" not in said


def test_an_ood_set_of_one_image_is_told(init, given):
    noise(given / "one", 1, seed=9)
    status, said = init(ood="one")
    assert status == 0
    assert "note: Street is one image, by which nothing can be said; give more of them" in said
    assert "nothing can be said" not in init("--force")[1]


def test_what_is_not_read_is_told(init, given):
    for number, file in enumerate(sorted((given / "street").iterdir())):
        exif = Image.Exif()
        exif[274] = 6
        options = [{"exif": exif}, {"transparency": 0}, {"save_all": True}][number % 3]
        image = photographs(number + 1)[number].convert("P")
        kind = ["PNG", "PNG", "GIF"][number % 3]
        if kind == "GIF":
            options["append_images"] = [image.rotate(90)]
        image.save(file, kind, **options)
    _, said = init()
    assert "not read  EXIF orientation 2, transparency 2, frames after the first 1" in said


def one_class(given):
    classes(given / "bad", ["cat"])


def flat(given):
    noise(given / "bad", 5)


def nested(given):
    classes(given / "bad" / "mammals", seed=1)
    classes(given / "bad" / "birds", ["owl"], seed=2)


def wrapped(given):
    classes(given / "bad" / "photos")


def beside(given):
    classes(given / "bad")
    noise(given / "bad", 1, seed=77)


def empty(given):
    (given / "bad" / "cat").mkdir(parents=True)


def few(given):
    classes(given / "bad", each=4)


def other_names(given):
    classes(given / "bad" / "train")
    classes(given / "bad" / "test", ["cat", "dogs"], seed=3)


def nothing(given):
    pass


BAD = {
    one_class: ["one class alone, 'cat'", "one folder for each class"],
    flat: ["no image has a class", "a list of `path,label`"],
    nested: [
        "classes lie in each other, 'birds/owl', 'mammals/cat', 'mammals/dog'",
        "move them up",
    ],
    wrapped: ["classes lie in each other, 'photos/cat', 'photos/dog'", "bad/photos"],
    beside: ["'0.jpg' without a class"],
    empty: ["there are no images in it"],
    few: ["too few images of 'cat (4)', 'dog (4)' to leave one for heldout", "--id-test"],
    other_names: ["classes differ: 'dogs' only in ID test, and 'dog' only in ID train"],
    nothing: ["there is no", "bad"],
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_bad_folders_are_told(init, given, make):
    make(given)
    refused(init, BAD[make], pets="bad")
    assert not (given / "own").exists()


def test_a_class_may_be_called_as_a_split(init, world, given):
    classes(given / "vehicles", ["bus", "car", "train"])
    status, said = init(pets="vehicles")
    assert status == 0
    assert "classes   3: bus 12, car 12, train 12" in said
    assert world().config["image_sets"]["train"]["share"] == [0.0, 0.7]


@pytest.mark.parametrize("option", ["--id", "--calibration-ood"])
def test_what_is_given_twice_is_refused(init, given, capsys, option):
    value = f"{'' if option == '--id' else 'Sky='}{given / 'sky'}"
    with pytest.raises(SystemExit):
        init(option, value, option, value)
    assert f"{option} is given twice; give it once" in capsys.readouterr().err


def test_the_home_of_nobody(init, given, capsys):
    with pytest.raises(SystemExit):
        init("--id-test", "~nobody-at-all/pets")
    assert "nobody of this name has a home here" in capsys.readouterr().err


def test_an_ood_folder_without_images(init, given):
    (given / "none").mkdir()
    (given / "none/notes.txt").write_text("a")
    refused(init, "none", ood="none")


def test_a_class_that_the_test_set_lacks_is_told(init, given):
    classes(given / "cut/train", ["cat", "dog", "owl"])
    classes(given / "cut/test", ["cat", "dog"], seed=9)
    status, said = init(pets="cut")
    assert status == 0
    assert "note: ID test has no images of 'owl'" in said


def test_sets_within_each_other_and_names_alike(init, given):
    refused(init, ["Street (", "pets/cat) and ID (", "hold the same images"], ood="pets/cat")
    refused(init, "called like street, 'street'", "--ood", f"street={given / 'sky'}")
    refused(init, "called like an ID split, 'test'", "--ood", f"Test={given / 'sky'}")
    classes(given / "cut/train")
    classes(given / "cut/test", seed=9)
    refused(
        init, "holds test already; leave out --id-test", "--id-test", given / "pets", pets="cut"
    )


def test_a_file_is_not_written_over_unasked(init, given):
    assert init()[0] == 0
    file = given / "own/penumbra.yaml"
    file.write_text("mine")
    refused(init, f"{file} is there already; give another folder, or --force")
    assert file.read_text() == "mine"
    assert init("--force")[0] == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize("words", [["--ood", "street"], ["--size", "big"], ["--size", "4"]])
def test_words_that_are_no_argument(init, words):
    with pytest.raises(SystemExit):
        init(*words)


def test_odd_names_are_quoted(init, world, given):
    odd = given / 'my "pets": a, b # {c}'
    shutil.copytree(given / "pets", odd)
    assert init("--ood", f"Off, [or] not={given / 'sky'}", pets=odd.name)[0] == 0
    made = world()
    assert made.config["image_sets"]["train"]["label"] == odd.name
    assert made.label("off-or-not") == "Off, [or] not"
    assert made.lacking("train") == []


def test_names_that_yaml_reads_otherwise(init, world, given):
    on = ["--ood", f"on={given / 'sky'}", "--name", "2024"]
    assert init(*on, "--calibration-ood", f"365={given / 'later'}")[0] == 1
    noise(given / "later", 3, seed=99)
    assert init(*on, "--calibration-ood", f"365={given / 'later'}")[0] == 0
    made = world()
    assert made.name == "2024"
    assert made.config["benchmarks"]["2024"]["ood"] == {"far": ["on", "street"]}
    assert made.config["benchmarks"]["2024"]["calibration_ood"] == "365"


@pytest.mark.parametrize("name", ["a\x7fb", "a\nb", "a\x85b"])
def test_control_characters_are_in_no_name(init, given, name):
    told = f"the name {name!r} holds a control character"
    refused(init, told, "--ood", f"{name}={given / 'sky'}")
    refused(init, told, "--name", name)


def test_names_are_of_bounded_length(init, world, given):
    told = "has 101 characters; give one of at most 100: --name"
    refused(init, told, "--ood", f"{'n' * 101}={given / 'sky'}")
    status, said = init("--name", "n" * 101)
    assert (status, "24 images" in said) == (1, False)  # told before a look at them
    assert told in said
    assert init("--name", "n" * 100, "--ood", f"{'m' * 100}={given / 'sky'}")[0] == 0
    assert world().name == "n" * 100


@pytest.mark.parametrize("odd", ["a\x7fb", "a\x85b", "a\u2028b"])
def test_odd_characters_of_paths_are_written_so_that_they_are_read(init, world, given, odd):
    shutil.copytree(given / "pets", given / odd)
    assert init(pets=odd)[0] == 0
    made = world()
    assert made.config["image_sets"]["train"]["label"] == odd
    assert made.lacking("train") == []


def test_a_class_that_parquet_names_may_lack_in_the_test_set(init, world, given):
    (given / "hub").mkdir()
    for name, known in (("train", ["cat", "dog", "owl"]), ("test", ["cat", "dog"])):
        write_parquet(given / f"hub/{name}.parquet", 30, first=0 if name == "train" else 30)
        table = pq.read_table(given / f"hub/{name}.parquet").replace_schema_metadata(None)
        labels = [known[i % len(known)] for i in range(30)]
        pq.write_table(table.set_column(1, "label", [labels]), given / f"hub/{name}.parquet")
    status, said = init(pets="hub")
    assert status == 0
    assert "note: ID test has no images of 'owl'" in said
    made = world()
    for name in ("train", "test"):
        config = json.loads(Images(made).spec({"image_set": name}))["config"]
        assert len(chosen(config, made.root).classes) == {"train": 3, "test": 2}[name]


class Looked:
    """What the choices read of a look."""

    def __init__(self, side, names=("cat", "dog"), oblong=0.0):
        self.classes, self._side, self._oblong = names, side, oblong

    def side(self):
        return self._side

    def oblong(self):
        return self._oblong


@pytest.mark.parametrize(
    ("side", "gpu", "size"),
    [(8, True, 32), (56, True, 64), (100, True, 96), (200, True, 224), (500, True, 224),
     (500, False, 96), (32, False, 32)],
)  # fmt: skip
def test_size_follows_the_images(side, gpu, size):
    assert choose(Looked(side), 5000, None, gpu).size == size


def test_the_other_choices():
    small, large = choose(Looked(32), 700, None, False), choose(Looked(300), 50_000, None, True)
    assert (small.stem, small.width, small.epochs, small.batch_size) == ("cifar", 8, 60, 64)
    assert (large.stem, large.width, large.epochs, large.batch_size) == ("imagenet", 64, 80, 128)
    assert (large.lr, small.lr) == (0.1, 0.05)
    assert choose(Looked(32, oblong=0.9), 100, None, False).square == "crop"
    for names, flip in ((("0", "1"), False), (("a", "B"), False), (("One", "two"), False),
                        (("12", "007"), False), (("cat", "0"), True)):  # fmt: skip
        assert choose(Looked(32, names), 100, None, False).flip == flip


def test_neighbours_are_fewer_than_a_class_has(init, world, given):
    assert "4 neighbours of KNN: half of the smallest class" in init()[1]
    assert world().config["scorers"]["knn"]["options"] == {"k": 4}
    classes(given / "many", each=150, size=8)
    init("--force", pets="many")
    assert world().config["scorers"]["knn"]["options"] == {"k": 50}


def test_vim_has_directions_left_of_few_images(init, world, given):
    """Sixteen training images span sixteen directions; the usual dimension of 64 features is 32."""
    assert "8 dimensions of ViM: half of the training images" in init()[1]
    assert world().config["scorers"]["vim"]["fit"] == {"dim": 8}
    classes(given / "many", each=150, size=8)
    assert "ViM" not in init("--force", pets="many")[1]
    assert "fit" not in world().config["scorers"]["vim"]


def test_weights_of_ones_own(init, world, given):
    import torch
    import torchvision

    net = torchvision.models.resnet18(num_classes=2)
    file = given / "resnet18-f37072fd.pth"  # as torchvision publishes its own
    torch.save(net.state_dict(), file)
    status, said = init("--weights", file, "--network", "torchvision:resnet18")
    assert status == 0
    assert "size 224: that of the weights" in said
    made = world()
    (bench,) = made.config["benchmarks"].values()
    assert bench["normalisation"]["mean"] == [0.485, 0.456, 0.406]
    assert made.size("street") == 224
    assert made.config["recipes"]["given"]["pretrained"] == {"weights": str(file)}

    other = given / "mine.pth"
    file.rename(other)
    _, said = init("--weights", other, "--network", "torchvision:resnet18", "--force")
    assert "the weights do not say how images were normalised" in said
    written = given / "own/penumbra.yaml"
    assert "normalisation: null}" in written.read_text()
    assert "# UNKNOWN" in written.read_text()
    with pytest.raises(PenumbraError, match="normalisation: None is not of type 'object'"):
        world()
    again = "--force"
    order = given / "order.txt"
    order.write_text("cat\nbird\n")
    for network, message, *more in (
        ("torchvision:resnt18", "unknown network 'resnt18'; did you mean 'resnet18'"),
        ("python:nets", "write python:MODULE:FUNCTION"),
        ("torchvision:resnet18", "not in both: 'bird', 'dog'", "--classes", order),
        ("torchvision:resnet18", "there is no file", "--classes", given / "no.txt"),
    ):
        refused(init, message, "--weights", other, "--network", network, again, *more)
    order.write_text("dog\ncat\ndog\n")
    refused(init, "order.txt: name each class of the training images once; more than once: 'dog'",
            "--weights", other, "--network", "torchvision:resnet18", again,
            "--classes", order)  # fmt: skip
    refused(init, "--classes is of given weights", "--classes", order, again)
    order.write_bytes("c\u00e4t\n".encode("latin-1"))
    refused(init, "order.txt: not UTF-8", "--weights", other, "--network", "torchvision:resnet18",
            again, "--classes", order)  # fmt: skip
    refused(init, "--weights and --network go together", "--weights", other, again)
    refused(
        init, "there is no file of weights", "--weights", given / "x", "--network", "timm:y", again
    )
    refused(init, "write torchvision:NAME", "--weights", other, "--network", "resnet", again)


def test_weights_that_cannot_be_are_refused_before_a_look_at_the_images(init, given):
    file = given / "mine.pth"
    file.write_bytes(b"")
    for network, *more in (("resnet",), ("python:nets",), ("torchvision:resnt18",),
                           ("timm:resnt18",),
                           ("torchvision:resnet18", "--classes", given / "no.txt")):  # fmt: skip
        status, said = init("--weights", file, "--network", network, *more)
        assert status == 1
        assert "images in" not in said
    status, said = init("--weights", given / "x", "--network", "torchvision:resnet18")
    assert (status, "images in" in said) == (1, False)


def test_the_place_of_a_file_of_python_is_told(init, given):
    file = given / "mine.pth"
    file.write_bytes(b"")
    status, said = init("--weights", file, "--network", "python:nets:build")
    assert status == 0
    assert "what build(classes) of nets.py gives; put that file beside penumbra.yaml" in said


def test_a_checkpoint_of_another_kind_is_told(init, given):
    import torch

    file = given / "model.safetensors"
    for config, message in (
        ({"part": {"dim": 8}}, "whose header names no network of a classifier"),
        ({"backbone": {"network": "resnet"}}, "whose header names no network of a classifier"),
        ({"backbone": {"network": "wrn", "options": {}}}, "is of the network wrn; write that"),
    ):
        write_checkpoint(file, {"weight": torch.zeros(1)}, {"rule": "models", "config": config})
        refused(init, message, "--weights", file, "--network", "resnet")


def test_a_network_without_feature_maps_has_a_table_without_their_scorers(init, world, given):
    import torch

    torch.save({}, given / "vit.pth")
    status, _ = init("--weights", given / "vit.pth", "--network", "timm:vit_tiny_patch16_224",
                     "--size", "224")  # fmt: skip
    assert status == 0
    assert "tables: [own_outputs]" in (given / "own/penumbra.yaml").read_text()
    refused(init, "does not take images", "--weights", given / "vit.pth", "--force",
            "--network", "timm:vit_tiny_patch16_224", "--size", "65")  # fmt: skip


def test_real_parquet_files(request, given, capsys):
    real = request.config.getoption("--vectors").parent / "data"
    if not real.is_dir():
        pytest.skip("no real images beside the project")
    words = ["init", str(given / "own"), "--id", str(real / "imagenette_mini")]
    assert main([*words, "--ood", f"Textures={real / 'textures64/test.parquet'}"]) == 0
    said = capsys.readouterr().out
    assert "ID train: 1,000 images" in said
    assert "modes RGB 982, L 18" in said
    datasets = yaml.safe_load((given / "own/penumbra.yaml").read_text())["datasets"]
    assert datasets["own-id"]["splits"]["test"]["path"].endswith("val.parquet")
