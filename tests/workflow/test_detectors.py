"""Detectors out of the workflow: the same scores, and what a call refuses."""

import shutil

import numpy as np
import pytest
from PIL import Image

from penumbra.cli import main
from penumbra.detector.detector import Detector
from penumbra.detector.file import described
from penumbra.detector.words import told
from penumbra.images.image_set import from_table
from penumbra.images.readers.digits import _load
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import numbers
from tests.workflow.conftest import copied

PLAIN = "results/tiny/detectors/plain/resnet18/standard/seed0/clean/energy.safetensors"
# The digits without images that calibrate.
WITHOUT = """
benchmarks:
  plain:
    label: Digits
    models_of: digits
    train: digits-train
    test: digits-test
    heldout: digits-heldout
    ood: {far: [textures, faces]}
    missing: error
    normalisation: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
"""
READING = "digits/resnet18/{}/seed0/{}/{}"
# Of outputs, of outputs with a fit, of the network, of a block with the map added.
SCORERS = {
    "energy": ("standard", "clean"), "react": ("standard", "clean"),
    "odin": ("standard", "clean"), "ccfn": ("uat", "map-uat"),
}  # fmt: skip

OF_PRODUCTS = ("react",)


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The small world with a detector of each kind, and one of them exported."""
    world = copied(finished, tmp_path_factory.mktemp("exported"))
    targets = [
        f"results/tiny/detectors/{READING.format(*model, name)}.safetensors"
        for name, model in SCORERS.items()
    ]
    (world.folder / "plain.yaml").write_text(WITHOUT)
    files = ("--configfile", "tiny.yaml", "plain.yaml")
    world.snakemake(*targets, PLAIN, *files, "--cores", "2")
    return world


def detector_of(world, scorer):
    name = READING.format(*SCORERS[scorer], scorer)
    return world.folder / f"results/tiny/detectors/{name}.safetensors"


@pytest.mark.parametrize("scorer", SCORERS)
def test_its_scores_are_those_of_the_workflow(exported, scorer):
    """Bit by bit, on this device, with this batch size; but for products of matrices.

    Some processors' kernels round a row by its place among the others, and here it has another.
    """
    detector = Detector.load(detector_of(exported, scorer), "cpu")
    name = READING.format(*SCORERS[scorer], scorer)
    rows = read_parquet(exported.folder / f"results/tiny/scores/{name}.parquet")
    sets = np.array(rows["image_set"].to_pylist())
    for image_set in ("digits-test", "faces"):
        images = read_parquet(exported.folder / f"results/tiny/images/{image_set}.parquet")
        made = detector(from_table(images).pixels)
        stored = numbers(rows["score"])[sets == image_set]
        nearly = 1e-6 if scorer in OF_PRODUCTS else 0
        assert np.allclose(made["score"], stored, rtol=nearly, atol=0)


def test_what_it_was_made_of_is_in_it(exported):
    file = detector_of(exported, "ccfn")
    made = described(file)
    assert made.names["world"] == "tiny"
    assert made.names["input"] == "map-uat"
    assert made.classes == [str(digit) for digit in range(10)]
    assert (made.size, made.square) == (16, "grid")
    rows = read_parquet(exported.folder / "results/tiny/blocks/digits/resnet18/uat.parquet")
    (chosen,) = [row["block"] for row in rows.to_pylist() if row["chosen"]]
    assert made.scorer["block"] == chosen
    provenance = provenance_of(file)
    assert provenance["rule"] == "detectors"
    assert any("uat/seed0/model.safetensors" in name for name in provenance["inputs"])
    assert len(Detector.load(file, "cpu").heldout) == 179


def test_files_of_digits_have_the_pixels_of_the_workflow(exported, tmp_path):
    """Digits as scikit-learn has them, 8×8, saved as PNG: 240 of 255 is its 16."""
    detector = Detector.load(detector_of(exported, "energy"), "cpu")
    stored = read_parquet(exported.folder / "results/tiny/images/digits-test.parquet")
    origins = stored["origin"].to_pylist()[:20]
    grids, _ = _load()
    files = [tmp_path / f"{i}.png" for i in range(len(origins))]
    for origin, file in zip(origins, files, strict=True):
        grid = grids[int(origin.partition("/")[2])]
        Image.fromarray((15 * grid).astype(np.uint8)).save(file)
    name = READING.format("standard", "clean", "energy")
    scores = read_parquet(exported.folder / f"results/tiny/scores/{name}.parquet")
    assert scores["image_set"][0].as_py() == "digits-test"
    assert np.allclose(detector(files)["score"], numbers(scores["score"])[:20], rtol=1e-5)


@pytest.fixture
def export(exported, tmp_path, monkeypatch, capsys):
    """`penumbra detector export` in the small world."""
    monkeypatch.chdir(exported.folder)
    file = tmp_path / "mine.safetensors"

    def run(model, *more, world=("--world", "tiny.yaml")):
        status = main(["detector", "export", str(model), str(file), *more, *world])
        return status, capsys.readouterr(), file

    return run


MODELS = "results/tiny/models/digits/resnet18"


def test_export_and_show(export, exported, capsys):
    status, said, file = export(
        f"{MODELS}/uat/seed0", "--scorer", "ccfn", "--input", "map", "--tpr", "0.8"
    )
    assert status == 0
    assert described(file).tpr == 0.8
    assert described(file).names["input"] == "map-uat"
    kept = round(np.ceil(0.8 * 179))
    assert f"{kept} of 179 held-out ID images (TPR 0.8)" in said.out
    assert "scorer      ccfn; block " in said.out
    assert main(["detector", "show", str(file)]) == 0
    assert capsys.readouterr().out == said.out
    assert main(["score", str(file), "results/tiny/images/faces.parquet", "--device", "cpu"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 25


def test_the_folder_of_a_model_may_be_its_world(export, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = exported.folder / "penumbra.yaml"
    shutil.copyfile(exported.folder / "tiny.yaml", own)
    try:
        status, said, file = export(
            exported.folder / MODELS / "standard/seed0", "--scorer", "energy", world=()
        )
    finally:
        own.unlink()
    assert status == 0, said.err
    assert described(file).names["world"] == "tiny"


@pytest.mark.parametrize(
    ("model", "more", "world", "message"),
    [
        ("results/tiny/tables", (), "tiny", "is no place of a model; name one as results/"),
        ("README.md", (), "tiny", "is no place of a model"),
        (
            f"{MODELS}/standard/seed7",
            (),
            "tiny",
            "there is no such model; `snakemake results/tiny/",
        ),
        (f"{MODELS}/standard/seed0", ("--tpr", "1"), "tiny", "TPR 1: the share"),
        (f"{MODELS}/standard/seed0", ("--input", "x"), "tiny", "--input x: is none of clean, map"),
        (f"{MODELS}/standard/seed0", ("--scorer", "enrgy"), "tiny", "unknown scorer 'enrgy'; did"),
        (f"{MODELS}/standard/seed0", (), "", "is of the world tiny, and the config is that of the"),
        (f"{MODELS}/standard/seed0", (), "other", "other.yaml: there is no such file of config"),
    ],
)
def test_what_is_not_exported(export, model, more, world, message):
    """Before Snakemake is called."""
    given = ("--world", f"{world}.yaml") if world else ()
    status, said, file = export(model, "--scorer", "energy", *more, world=given)
    assert status == 1
    assert message in said.err
    assert not file.exists()


def test_a_benchmark_without_held_out_images(exported):
    """It is refused while Snakemake plans."""
    target = "results/tiny/detectors/all-digits/resnet18/standard/seed0/clean/energy.safetensors"
    done = exported.snakemake(target, "--configfile", "tiny.yaml", "--cores", "1", check=False)
    assert done.returncode
    said = done.output
    assert "benchmarks.all-digits: a detector's threshold is set on held-out ID images" in said


def test_a_benchmark_without_calibration_images(exported):
    """P(ID) is absent, and the file says why."""
    file = exported.folder / PLAIN
    detector = Detector.load(file, "cpu")
    assert described(file).uncalibrated == "benchmark plain names no `calibration_ood`"
    assert "P(ID)       none: benchmark plain names no `calibration_ood`" in told(file, detector)
    assert detector(np.zeros((1, 3, 16, 16), np.uint8))["p_id"].isna().all()
