"""`explain` names what was edited, and nothing else; `clean` removes what nothing needs."""

import base64
import fcntl
import os
import shutil
import subprocess
import sys


def penumbra(world, *arguments, check=True):
    """The command out of a copy of the project, in its folder."""
    done = subprocess.run(
        [sys.executable, "-m", "penumbra", *arguments],
        cwd=world.folder,
        env={**os.environ, "PYTHONPATH": str(world.folder / "workflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == check, done.stdout + done.stderr[-4000:]
    return done.stdout if check else done.stderr


def explained(world, target="all_tables"):
    """The first line, those of jobs with reasons of their own by artifact, and those behind."""
    first, *lines = penumbra(world, "explain", target, "tiny.yaml").splitlines()
    found = [line.split(": ", 1) for line in lines if line.startswith("results/")]
    return first, dict(found), [line for line in lines if not line.startswith("results/")]


def test_edits_are_named(again):
    """CCFN's scores follow the model that they are of; that their code changed is seen, too."""
    again.edit("workflow/penumbra/scores/ccfn.py", "return norm.mean(1)", "return norm.sum(1)")
    again.edit("config/config.yaml", "      step_size: 0.5\n", "      step_size: 0.4\n")
    first, reasons, rest = explained(again)
    model = "results/tiny/models/digits/resnet18/uat/seed0/model.safetensors"
    assert reasons.pop(model) == "config recipe.options.step_size: 0.5 → 0.4"
    scores = "results/tiny/scores/digits/resnet18/uat/seed0/map-uat/ccfn{}.parquet"
    kinds = ("", "-fixed", "-none", "-l2", "-var", "-mean", "-min")
    assert reasons == {scores.format(kind): "code penumbra.scores.ccfn" for kind in kinds}
    jobs = len(again.planned("all_tables"))
    assert first.startswith(f"World tiny, all_tables: {jobs} of the ")
    (follow,) = rest
    assert follow.startswith(f"and {jobs - 8} jobs that read those: ")
    assert "2 tables" in follow


def test_what_lies_there_otherwise(again):
    """A format that is gone, an input that is another; a figure, which carries no provenance."""
    results = again.folder / "results/tiny"
    (results / "tables/uat_table13.csv").unlink()
    textures = (results / "images/textures.parquet").read_bytes()
    (results / "images/faces.parquet").write_bytes(textures)
    again.edit("config/tables/uat_table13.yaml", "title: uat, Table 13.", "title: Thirteen.")
    again.edit("config/tables/uat_figure05.yaml", "title: uat, Figure 5.", "title: Five.")
    found = explained(again)[1]
    told = found.pop("results/tiny/tables/uat_table13.parquet")
    assert told.startswith("results/tiny/tables/uat_table13.csv is missing; config title: uat, ")
    assert set(found.values()) == {"input results/tiny/images/faces.parquet is another"}
    (found,) = explained(again, "uat_figure05")[1].values()
    assert found.startswith("config title: uat, Figure 5.")


def test_what_was_killed_or_is_damaged(again):
    """Snakemake marks what it makes as incomplete until it is made."""
    made = "results/tiny/scores/digits/resnet18/standard/seed0/clean/{}.parquet"
    msp, otod = made.format("msp"), made.format("otod")
    marks = again.folder / ".snakemake/incomplete"
    marks.mkdir(exist_ok=True)
    (marks / base64.b64encode(msp.encode()).decode()).touch()
    again.edit("workflow/penumbra/scores/otod.py", "size[size == 0] = 1\n", "size[size <= 0] = 1\n")
    (again.folder / otod).write_bytes(b"PAR1")
    reasons = explained(again, "uat_table01")[1]
    assert reasons.pop(msp) == "a call was killed while it was made"
    assert reasons.pop(otod).startswith(f"{otod}: not a readable Parquet artifact")
    assert not reasons
    shutil.rmtree(again.folder / ".snakemake/metadata")
    *_, last = explained(again, "uat_table13")[2]
    assert last.startswith("Of 19 jobs the results are there, but nothing in .snakemake/ says")


def test_what_is_not_there(again):
    again.edit("tiny.yaml", "tables: [", "tables: [uat_table10, ")
    assert "not computed yet: " in penumbra(again, "explain", "uat_table10", "tiny.yaml")
    told = penumbra(again, "explain", "uat_table05", "tiny.yaml", check=False)
    assert told.startswith("error: uat_table05 is not among the tables of the world tiny: ")


def kept_files(world):
    """Bytes of all files but Snakemake's own and the code."""
    tops = ("results", "logs", "scratch")
    files = (file for top in tops for file in (world.folder / top).rglob("*") if file.is_file())
    return {str(file.relative_to(world.folder)): file.read_bytes() for file in files}


def test_clean(again):
    """What a table less needs no more goes; all else stays byte for byte, and nothing reruns."""
    foreign = ("tiny/notes.md", "tiny/models/x.txt", "other/tables/a.parquet")
    foreign += ("tiny/tables/notes.md", "tiny/tables/before.csv", "tiny/images/example.png")
    foreign = [f"results/{file}" for file in foreign]
    for file in (*foreign, "scratch/models/0123.safetensors", "logs/tiny.log"):
        (again.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (again.folder / file).write_text("mine")
    (again.folder / "results/tiny/scores/link.parquet").symlink_to(again.folder / foreign[0])
    before = kept_files(again)
    again.edit("tiny.yaml", "tables: [uat_table01, uat_table13]", "tables: [uat_table13]")
    listed = penumbra(again, "clean", "tiny.yaml")
    assert kept_files(again) == before
    removed = penumbra(again, "clean", "tiny.yaml", "--remove")
    assert removed == listed.replace("; --remove removes them", ", removed")
    after = kept_files(again)
    assert after.items() <= before.items()
    gone = before.keys() - after.keys()
    assert f"in {len(gone)} files, removed" in removed
    named = {line.split("  ")[-1] for line in removed.splitlines()}
    assert {f for f in gone if "run.json" not in f and f.startswith("results")} <= named
    assert "results/tiny/tables/uat_table01.parquet" in gone
    assert "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors.run.json" in gone
    assert not [file for file in gone if "uat_table13" in file or "ccfn-min" in file]
    assert not (again.folder / "results/tiny/models/digits/resnet18/standard").exists()
    # Metrics are one file for all scorers that a table shows; what they are of is still there.
    assert {rule for rule, _ in again.planned()} == {"metrics", "tables"}


def test_clean_beside_a_call(again):
    """A call that works in the folder may write what is listed."""
    calls = again.folder / ".snakemake/calls"
    calls.mkdir(exist_ok=True)
    with (calls / "here-1-2.json").open("w") as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        record.write('{"host": "here", "process": 1, "executor": "local", "folders": []}')
        record.flush()
        told = penumbra(again, "clean", "tiny.yaml", "--remove", check=False)
    assert told.startswith("error: a call of snakemake (process 1 on here) works in this folder")
