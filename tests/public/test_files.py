"""Arrays in files, and the command that scores them."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

import penumbra
from penumbra.cli import main
from penumbra.errors import PenumbraError
from penumbra.public.files import read_head, read_images
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import column, vectors


@pytest.fixture(scope="module")
def sets():
    random = np.random.default_rng(0)
    weight = random.normal(0, 1, (3, 8)).astype(np.float32)

    def outputs(count, centre):
        features = np.abs(random.normal(centre, 1, (count, 8))).astype(np.float32)
        return {"logits": features @ weight.T, "features": features}

    train = outputs(90, 1) | {"labels": np.arange(90) % 3}
    made = {"train": train, "test": outputs(50, 1), "a": outputs(40, 3), "b": outputs(30, 0)}
    return made | {"head": {"weight": weight, "bias": np.zeros(3, np.float32)}}


def lists(array, kind):
    if array.ndim == 1:
        return pa.array(array)
    if kind == "fixed":
        return vectors(array)
    return pa.array(list(array), {"list": pa.list_, "large": pa.large_list}[kind](pa.float32()))


def save(path, arrays, kind="list"):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        save_file(arrays, path)
    else:
        named = {{"labels": "label"}.get(key, key): array for key, array in arrays.items()}
        table = pa.table({key: lists(array, kind) for key, array in named.items()})
        pq.write_table(table, path, row_group_size=32)  # several groups, so several chunks
    return path


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".npz", ""), (".safetensors", "")] + [(".parquet", k) for k in ("list", "large", "fixed")],
)
def test_every_kind_of_file_gives_the_arrays(tmp_path, sets, suffix, kind):
    path = save(tmp_path / f"train{suffix}", sets["train"], kind)
    found = {{"label": "labels"}.get(k, k): array for k, array in read_images(path).items()}
    assert {*found} == {*sets["train"]}
    for key, array in sets["train"].items():
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
def test_a_file_without_the_arrays_says_what_it_holds(tmp_path, suffix):
    path = save(tmp_path / f"made{suffix}", {"logit": np.ones((2, 2)), "ids": np.arange(2)})
    with pytest.raises(PenumbraError, match=r"holds neither logits nor features; it holds .*logit"):
        read_images(path)
    with pytest.raises(PenumbraError, match=r"holds no weight; it holds .*logit"):
        read_head(path)


def test_pickles_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    trap = np.empty(1, object)
    trap[0] = Trap()
    np.savez(tmp_path / "made.npz", logits=trap)
    with pytest.raises(PenumbraError, match=r"made\.npz: logits cannot be read .*pickled objects"):
        read_images(tmp_path / "made.npz")
    trap.dump(tmp_path / "plain.npz")
    with pytest.raises(PenumbraError, match=r"plain\.npz: not a readable \.npz file"):
        read_images(tmp_path / "plain.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
@pytest.mark.parametrize("size", [0, 30, 0.5])
def test_damaged_files_are_named(tmp_path, sets, suffix, size):
    path = save(tmp_path / f"test{suffix}", sets["test"])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size * len(whole)) if size < 1 else size])
    with pytest.raises(PenumbraError, match=rf"test\{suffix}: .*readable|cannot be read"):
        read_images(path)


def test_whatever_bytes_are_changed_a_file_of_arrays_is_named(tmp_path):
    path = tmp_path / "test.npz"
    np.savez_compressed(path, logits=np.arange(400.0).reshape(100, 4))
    whole = path.read_bytes()
    told = []
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_images(path)  # where the change is in a time, or the like
        except PenumbraError as error:
            told.append(str(error))
    assert len(told) > 20
    assert all(message.startswith(f"{path}: ") for message in told)


def test_an_array_alone_is_no_file_of_several(tmp_path):
    with (tmp_path / "test.npz").open("wb") as file:
        np.save(file, np.ones((3, 2)))
    with pytest.raises(PenumbraError, match=r"test\.npz: not a readable \.npz file"):
        read_images(tmp_path / "test.npz")


def test_two_columns_of_one_name_are_told(tmp_path):
    column = pa.array([[1.0, 2.0]])
    pq.write_table(pa.table([column, column], ["logits", "logits"]), tmp_path / "a.parquet")
    with pytest.raises(PenumbraError, match=r"a\.parquet: several columns are called logits"):
        read_images(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.npz", "there is no such file"),
        ("made.csv", r"read from \.npz, \.parquet, \.safetensors files"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path, name, message):
    with pytest.raises(PenumbraError, match=message):
        read_images(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 2.0], [1.0]], r"column logits: lists of 1 to 2 entries"),
        ([[1.0, 2.0], None], r"column logits: 1 of 2 values are null"),
        ([[1.0, 2.0], [None, 1.0]], r"column logits: 1 of 4 entries of lists are null"),
    ],
)
def test_columns_that_are_no_matrix_are_refused(tmp_path, values, message):
    pq.write_table(pa.table({"logits": values}), tmp_path / "made.parquet")
    with pytest.raises(PenumbraError, match=message):
        read_images(tmp_path / "made.parquet")


def test_outputs_of_the_workflow_with_several_sets_are_not_taken_for_one(tmp_path, sets):
    names = column(["train"] * 25 + ["test"] * 25)
    table = pa.table({"image_set": names, "logits": vectors(sets["test"]["logits"])})
    write_parquet(tmp_path / "outputs.parquet", table, {})
    with pytest.raises(PenumbraError, match=r"holds 2 image sets \(train, test\)"):
        read_images(tmp_path / "outputs.parquet")


@pytest.fixture
def files(tmp_path, sets, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suffixes = {"train": ".parquet", "test": ".npz", "a": ".npz", "b": ".safetensors"}
    for name, arrays in sets.items():
        save(tmp_path / f"{name}{suffixes.get(name, '.npz')}", arrays)
    return ["arrays", "--train", "train.parquet", "--test", "test.npz"]


OOD = ["--ood", "a=a.npz", "b=b.safetensors"]


def test_the_command_prints_means_and_writes_what_is_asked_for(files, tmp_path, sets, capsys):
    (tmp_path / "out").mkdir()
    written = ["--out", "out/table.csv", "--scores", "out/scores.parquet", "--head", "head.npz"]
    assert main([*files, *OOD, *written]) == 0
    printed = capsys.readouterr().out
    assert "ID: train 90, test 50 images; OOD: a 40, b 30." in printed
    assert "mean over 2 OOD image sets, in percent" in printed
    assert "Left out: dml_plus, temperature: it is fitted on held-out images" in printed
    found = penumbra.score_arrays(
        sets["train"], sets["test"], {k: sets[k] for k in "ab"}, head=sets["head"]
    )
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")][1:]
    assert {row[0].removeprefix("| ") for row in rows} == {*found.scores}
    shares = [float(row[1].split()[0]) for row in rows]
    assert shares == sorted(shares, reverse=True)
    knn = found.scores["knn"]
    metrics = penumbra.evaluate(knn["test"], {k: knn[k] for k in "ab"}, name="test")
    best = metrics.loc["mean"]
    wanted = [f"{100 * best[f'auroc{end}']:.2f}" for end in ("", "_low", "_high")]
    assert f"| knn | {wanted[0]} [{wanted[1]}, {wanted[2]}] |" in printed
    table = pd.read_csv("out/table.csv").set_index(["scorer", "image_set"])
    pd.testing.assert_frame_equal(table.loc["knn"], metrics)
    scores = pd.read_parquet("out/scores.parquet").set_index(["scorer", "image_set", "index"])
    scores = scores.sort_index()
    assert len(scores) == len(found.scores) * 120
    np.testing.assert_array_equal(scores.loc[("knn", "b")]["score"], knn["b"])


def test_sets_and_scorers_may_be_named_one_by_one(files, capsys):
    words = ["--ood", "a=a.npz", "--ood", "b=b.safetensors", "--scorers", "msp", "--scorers", "knn"]
    assert main([*files, *words]) == 0
    printed = capsys.readouterr().out
    assert "OOD: a 40, b 30." in printed
    assert "| msp |" in printed
    assert "| knn |" in printed


def test_an_arrow_ends_no_call_where_ascii_is_wanted(files, tmp_path):
    words = [*files, *OOD, "--scorers", "msp", "--out", "table.csv"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", "penumbra", *words]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "AUROC \\u2191" in done.stdout
    assert (tmp_path / "table.csv").exists()


def test_scorers_are_chosen_and_equal_scores_told(files, sets, capsys):
    np.savez("a.npz", logits=np.ones((5, 3)))
    assert main([*files, "--ood", "a=a.npz", "--scorers", "msp", "energy"]) == 0
    printed = capsys.readouterr().out
    assert "one OOD image set" in printed
    assert "msp scores all images of a alike." in printed
    assert "Left out" not in printed
    assert printed.count("\n| ") == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ood", "a.npz"], "--ood a.npz: give NAME=FILE"),
        (["--ood", "a=a.npz", "a=a.npz"], "--ood a=a.npz: give NAME=FILE, each name once"),
        (["--ood", "a=absent.npz"], "absent.npz: there is no such file"),
        ([*OOD, "--scorers", "dice"], "scorer dice: it needs the last layer's weight and bias"),
        ([*OOD, "--out", "table.md"], "table.md: it is written as .csv"),
        ([*OOD, "--out", "absent/table.csv"], "absent/table.csv: there is no folder absent"),
        ([*OOD, "--scores", "s.csv"], "s.csv: it is written as .parquet"),
        ([*OOD, "--head", "test.npz"], "test.npz: holds no weight; it holds logits, features"),
    ],
)
def test_bad_arguments_are_one_line(files, capsys, more, message):
    assert main([*files, *more]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ood", "n=test.npz"], "--test and --ood n are one file, test.npz; give each images"),
        ([*OOD, "--heldout", "./train.parquet"], "--train and --heldout are one file"),
        ([*OOD, "--heldout", "link.npz"], "--heldout and --test are one file, link.npz"),
        (["--ood", "a=a.npz", "b=a.npz"], "--ood a and --ood b are one file, a.npz"),
    ],
)
def test_one_file_in_two_roles_is_refused(files, capsys, more, message):
    os.symlink("test.npz", "link.npz")
    assert main([*files, *more]) == 1
    assert f"error: {message}" in capsys.readouterr().err


def test_arrays_for_no_scorer_tell_why(files, capsys):
    np.savez("a.npz", logits=np.ones((5, 3)))
    np.savez("test.npz", features=np.ones((5, 8)))
    assert main([*files, "--ood", "a=a.npz"]) == 1
    assert "msp: it needs logits of test" in capsys.readouterr().err
