"""`penumbra score`: images sound and broken, from files, folders, Parquet files and lists."""

import csv
import io
import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penumbra.cli import main
from penumbra.detector.sources import sources
from penumbra.detector.stream import RUN, judged
from penumbra.images.image_set import ImageSet, to_table
from penumbra.store.artifacts import write_parquet
from tests.detector.conftest import SIZE, noise


@pytest.fixture
def folder(tmp_path):
    """Sound images in folders within folders, and what lies among images that is none."""
    made = tmp_path / "images"
    (made / "deep/er").mkdir(parents=True)
    for i, pixels in enumerate(noise(40)):
        image = Image.fromarray(pixels.transpose(1, 2, 0))
        image.save(made / ("deep/er" if i % 2 else "deep") / f"{i:02}.png")
    (made / "notes.txt").write_text("about the images")
    return made


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def score(capsys, *arguments):
    assert main(["score", *map(str, arguments), "--device", "cpu", "--threads", "1"]) == 0
    told = capsys.readouterr()
    return rows_of(told.out), told.err


def test_a_folder_with_all_below_it(file, folder, detector, capsys):
    rows, told = score(capsys, file, folder)
    names = sorted((p for p in folder.rglob("*.png")), key=lambda p: p.parts)
    assert sorted(row["image"] for row in rows) == sorted(map(str, names))
    wanted = detector([row["image"] for row in rows])
    assert np.array_equal([float(row["score"]) for row in rows], wanted["score"])
    assert np.array_equal([float(row["p_id"]) for row in rows], wanted["p_id"])
    assert [row["accept"] == "accept" for row in rows] == wanted["accept"].tolist()
    assert {row["accept"] for row in rows} <= {"accept", "reject"}
    assert not any(row["error"] for row in rows)
    accepted = wanted["accept"].sum()
    assert told == f"40 images: {accepted} accepted, {40 - accepted} rejected, 0 broken\n"


def broken(folder):
    """One image of every broken kind, with what is said of it."""
    sound = io.BytesIO()
    Image.fromarray(noise(1)[0].transpose(1, 2, 0)).save(sound, "PNG")
    jpeg = io.BytesIO()
    Image.fromarray(noise(1, size=200)[0].transpose(1, 2, 0)).save(jpeg, "JPEG")
    large = io.BytesIO()
    Image.new("1", (20000, 20000)).save(large, "PNG")
    deep = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(deep, "TIFF")
    files = {
        "empty.png": (b"", "it is empty (0 bytes)"),
        "text.png": (b"hello", "it is of no format that is read; it begins b'hello'"),
        "cut.png": (sound.getvalue()[:-30], "truncated"),
        "cut.jpg": (jpeg.getvalue()[:2000], "truncated"),
        "large.png": (large.getvalue(), "pixels are read: make it smaller"),
        "floats.tiff": (deep.getvalue(), "32-bit floats"),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1", "pointer of Git LFS"),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    (folder / "link.png").symlink_to(folder / "nowhere.png")
    said = {str(folder / name): message for name, (_, message) in files.items()}
    return said | {str(folder / "link.png"): "No such file or directory"}


def test_broken_images_are_rows_with_an_error_and_end_nothing(file, folder, capsys):
    said = broken(folder)
    empty = folder.parent / "no images"
    empty.mkdir()
    pipe = folder.parent / "pipe.png"
    os.mkfifo(pipe)
    said |= {"gone.png": "No such file", str(empty): "the folder holds no images"}
    said[str(pipe)] = "it is a pipe or a device and no file"
    rows, told = score(capsys, file, "gone.png", folder, empty, pipe)
    errors = {row["image"]: row["error"] for row in rows if row["error"]}
    assert set(errors) == set(said)
    for name, message in said.items():
        assert message in errors[name], name
        assert "\n" not in errors[name]
    wrong = [row for row in rows if row["error"]]
    assert {(row["score"], row["p_id"], row["accept"]) for row in wrong} == {("", "", "")}
    assert len(rows) == 40 + len(said)
    assert told.endswith(f"{len(said)} broken\n")
    assert rows[0]["image"] == "gone.png"


def test_a_batch_of_broken_images_alone(file, tmp_path, capsys):
    rows, _ = score(capsys, file, *(f"{i}.png" for i in range(20)))
    assert [row["image"] for row in rows] == [f"{i}.png" for i in range(20)]


def test_parquet_of_encoded_images_and_of_the_workflow(file, tmp_path, detector, capsys):
    """Several row groups; one row without an image; and pixels as an image set holds them."""
    pixels = noise(30)
    encoded = []
    for image in pixels:
        stream = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(stream, "PNG")
        encoded.append({"bytes": stream.getvalue(), "path": None})
    encoded[7] = {"bytes": None, "path": "elsewhere.png"}
    given = tmp_path / "given.parquet"
    pq.write_table(pa.table({"image": encoded}), given, row_group_size=9)
    stored = tmp_path / "stored.parquet"
    sets = [ImageSet(part, np.full(len(part), -1), ["x"] * len(part), []) for part in
            (pixels[:20], pixels[20:])]  # fmt: skip
    write_parquet(stored, map(to_table, sets), {})
    rows, _ = score(capsys, file, given, stored)
    assert [row["image"] for row in rows[28:32]] == [
        *(f"{given}[28]", f"{given}[29]", f"{stored}[0]", f"{stored}[1]")
    ]
    assert "its row has no bytes" in rows[7]["error"]
    wanted = detector(pixels)["score"]
    for i, row in enumerate(rows):
        if i != 7:
            assert float(row["score"]) == pytest.approx(wanted[i % 30], rel=1e-5)


def test_parquet_that_cannot_be_used(file, tmp_path, capsys):
    (tmp_path / "text.parquet").write_text("no Parquet")
    (tmp_path / "empty.parquet").write_bytes(b"")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    large = ImageSet(noise(2, size=20), np.array([-1, -1]), ["x", "y"], [])
    write_parquet(tmp_path / "large.parquet", to_table(large), {})
    names = ("text", "empty", "other", "large")
    rows, _ = score(capsys, file, *(tmp_path / f"{name}.parquet" for name in names))
    assert [row["image"] for row in rows[:3]] == [
        str(tmp_path / f"{name}.parquet") for name in names[:3]
    ]
    assert "Parquet" in rows[0]["error"]
    assert "no column holds encoded images" in rows[2]["error"]
    assert rows[4]["error"] == "the image set's shape is (3, 20, 20); (3, 16, 16) needed"


def test_a_damaged_row_group_ends_nothing(file, tmp_path, capsys):
    """Of an image set and of a file of encoded images, whose other row groups are sound."""
    stored = tmp_path / "stored.parquet"
    sets = [ImageSet(noise(5, i), np.full(5, -1), ["x"] * 5, []) for i in range(2)]
    write_parquet(stored, map(to_table, sets), {})
    given = tmp_path / "given.parquet"
    images = []
    for pixels in noise(10):
        stream = io.BytesIO()
        Image.fromarray(pixels.transpose(1, 2, 0)).save(stream, "PNG")
        images.append(stream.getvalue())
    pq.write_table(pa.table({"image": images}), given, row_group_size=5)
    for path in (stored, given):
        with path.open("r+b") as stream:
            stream.seek(4)
            stream.write(bytes(range(60)))
    rows, _ = score(capsys, file, stored, given)
    errors = [bool(row["error"]) for row in rows]
    assert errors == [True] + [False] * 5 + [True] * 5 + [False] * 5
    assert rows[0]["error"].startswith("row group 0 of 5 images: ")


def test_a_list_of_names(file, folder, capsys):
    names = folder.parent / "list.txt"
    names.write_text(f"\ufeff{folder}/deep/00.png\n\n{folder}/deep/er\r\n", encoding="utf-8")
    rows, _ = score(capsys, file, f"@{names}")
    assert len(rows) == 21
    assert main(["score", str(file), "@nowhere.txt"]) == 1
    assert "@nowhere.txt: the list cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("\n", "the list names no image"),
        ("path,label\n{}/deep/00.png,cat\n", "the line 'path,label' names nothing.*`cut -d, -f1`"),
    ],
)
def test_a_list_that_is_none_is_told(file, folder, lines, message, capsys):
    names = folder.parent / "list.txt"
    names.write_text(lines.format(folder), encoding="utf-8")
    assert main(["score", str(file), f"@{names}"]) == 1
    told = capsys.readouterr()
    assert re.search(f"@{names}: {message}", told.err)
    assert not told.out


@pytest.mark.parametrize("name", ["gone", "gone/", "photos.2024"])
def test_a_folder_that_is_not_there(file, folder, name, capsys):
    gone = f"{folder}/{name}"
    assert main(["score", str(file), str(folder), gone]) == 1
    told = capsys.readouterr()
    assert f"{gone}: there is no such file or folder" in told.err
    assert not told.out
    (folder.parent / "list.txt").write_text(gone)
    rows, _ = score(capsys, file, f"@{folder.parent / 'list.txt'}")
    assert rows[0]["error"] == "No such file or directory"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_scores(file, folder, suffix, capsys):
    rows, _ = score(capsys, file, folder, "gone.png")
    out = folder.parent / f"scores.{suffix}"
    score(capsys, file, folder, "gone.png", "--out", out)
    if suffix == "csv":
        assert rows_of(out.read_text()) == rows
        return
    table = pq.read_table(out)
    assert table.column_names == ["image", "score", "p_id", "accept", "error"]
    assert [str(x) for x in table["score"].to_pylist()[:-1]] == [r["score"] for r in rows[:-1]]
    assert table["score"].null_count == table["accept"].null_count == 1
    assert table["error"].null_count == 40
    assert pq.read_metadata(out).num_row_groups == 6  # one a batch


def test_another_share_and_batch_size(file, folder, capsys):
    few, _ = score(capsys, file, folder, "--tpr", 0.02)
    many, _ = score(capsys, file, folder, "--tpr", 0.999, "--batch-size", 3)
    accepted = [sum(row["accept"] == "accept" for row in rows) for rows in (few, many)]
    assert accepted[0] < accepted[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tpr", "1.5"], "TPR 1.5: the share of ID images that is accepted lies between 0 and 1"),
        (["--threads", "0"], "--threads 0: at least one"),
        (["--batch-size", "99999999999"], "--batch-size 99999999999: at most 65,536 images"),
        (["--threads", "99999999999"], "--threads 99999999999: at most 1,024 are started"),
        (["--threads", "100000"], "--threads 100000: at most 1,024 are started"),
        (["--batch-size", "0"], "batch size 0: at least one"),
        (["--out", "x.txt"], "x.txt: it is written as .csv or .parquet"),
        (["--out", "nowhere/x.csv"], "nowhere/x.csv: there is no folder nowhere"),
        (["--device", "gpu"], "device 'gpu': is none"),
    ],
)
def test_arguments_that_make_no_sense(file, arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("penumbra.commands.score.cores", lambda: 2)
    assert main(["score", str(file), "a.png", *arguments]) == 1
    told = capsys.readouterr()
    assert f"error: {message}" in told.err
    assert not list(tmp_path.iterdir())


def test_memory_is_bounded_whatever_the_number_of_images(detector):
    """No more are decoded ahead than two batches and what the threads work on."""
    taken, given = 0, 0

    def endless():
        nonlocal taken
        (one,) = sources(["gone.png"])
        good = one._replace(pixels=lambda way, size: np.zeros((3, SIZE, SIZE), np.uint8))
        while True:
            taken += 1
            yield good

    for rows in judged(detector, endless(), 2):
        given += len(rows.names)
        assert taken - given <= 2 * detector.batch_size + 6 * RUN
        if given > 500:
            break


def test_a_full_disk_ends_in_one_line(file, folder):
    call = [sys.executable, "-m", "penumbra", "score", str(file), str(folder), "--device", "cpu"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the output is cut off (No space left on device); free")
    assert ended.stderr.count("\n") == 1
