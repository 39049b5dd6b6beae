"""What goes wrong on one machine: nothing damaged is used, nothing computed is lost."""

import shutil

from tests.workflow.conftest import FLAGS

IMAGES = "results/tiny/images/faces.parquet"
MODEL = "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors"
READ = "results/tiny/outputs/digits/resnet18/standard/seed0/clean.parquet"


def test_a_flipped_byte_is_refused_by_name_and_remade(again):
    """In an image set and a checkpoint that a later rule reads; the message tells what mends it."""
    calm = again.results()
    for name in (IMAGES, MODEL):
        file = again.folder / name
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 4
        file.write_bytes(data)
        (again.folder / READ).unlink()
        done = again.run(READ, check=False)
        assert done.returncode != 0
        assert f"{name}: damaged" in done.output
        assert not (again.folder / READ).exists()
        remake = done.output.split("remake it: snakemake ")[1].splitlines()[0].split()
        again.snakemake(*remake, *FLAGS[:2])
        again.run()
        assert again.results() == calm


def test_all_artifacts_of_a_folder_are_verified(again, capsys):
    from penumbra.__main__ import main

    assert main(["verify", str(again.folder / "results")]) == 0
    assert "all as they were written" in capsys.readouterr().out
    for name in (IMAGES, MODEL):
        file = again.folder / name
        file.write_bytes(file.read_bytes()[:-1])
    assert main(["verify", str(again.folder / "results")]) == 1
    told = capsys.readouterr().err
    assert "2 of" in told
    assert all(f"{name}: damaged" in told for name in (IMAGES, MODEL))
    shutil.rmtree(again.folder / "results")
    assert main(["verify", str(again.folder / "results")]) == 1
