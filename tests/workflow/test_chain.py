"""badood's chain run for real: reruns, determinism, shards, resume, and what can go wrong in it."""

import numpy as np
import pyarrow.parquet as pq
from safetensors.torch import load_file

from penumbra.reporting.provenance import show
from penumbra.store.artifacts import provenance_of, write_checkpoint
from tests.workflow.conftest import CHAIN, FLAGS, Tiny

MODEL = "benchmark=digits, backbone=resnet34, recipe={}, seed=0"
RESULTS = "results/tiny"
DETECTORS = {
    *("detector", "detector-fold0", "detector-fold1", "detector-reconstructed"),
    *("bad-ood", "bad-ood-in-sample"),
}
AFTER_MODELS = {
    *("energies", "calibrations", "selections", "categories"),
    *("outputs", "accuracy", "scores", "metrics", "tables", "figures"),
}


def recipes(planned, rule="models"):
    """The recipes whose jobs of a rule would run."""
    return {w.split("recipe=")[1].split(",")[0] for r, w in planned if r == rule}


def rules(planned):
    return {rule for rule, _ in planned}


def rows(world, name):
    return pq.read_table(world.folder / RESULTS / name).to_pylist()


def test_nothing_to_do_twice(chain):
    assert chain.planned() == set()


def test_two_folders_give_the_same_bytes(synthesised, tmp_path):
    other = Tiny(tmp_path, CHAIN)
    other.snakemake("all_tables", "all_figures", *FLAGS[:2], "--cores", "1")
    ours, theirs = synthesised.results(), other.results()
    assert ours.keys() == theirs.keys()
    # Table `chain` shows measured seconds.
    assert [n for n in ours if ours[n] != theirs[n] and n != "tables/chain.parquet"] == []


def test_every_arrow_is_an_artifact_that_says_how_it_was_made(synthesised):
    found = {
        provenance_of(synthesised.folder / RESULTS / name)["rule"] for name in synthesised.results()
    }
    assert {
        *("images", "parts", "representations", "embeddings", "outliers", "models", "energies"),
        *("calibrations", "selections", "categories", "outputs", "scores", "metrics", "tables"),
        *("reconstructions", "shortcuts"),
    } == found - {"accuracy"}
    assert "accuracy" in found


def test_an_outlier_is_told_with_all_that_made_it(synthesised):
    made = rows(synthesised, "outliers/digits/mixed/0of1.parquet")
    assert len(made) == 160
    assert len({row["outlier"] for row in made}) == len({row["seed"] for row in made}) == 160
    assert all(row["image"].startswith(b"\x89PNG") for row in made)
    assert {row["scale"] for row in made} == {0.025, 0.05, 0.075}
    assert all(-1 <= row["cosine"] <= 1 for row in made)


def test_shards_give_the_same_outliers(synthesised, chain):
    """One job or three: the same outliers, within the rounding of matrix products."""
    chain.edit("tiny.yaml", "  mixed: {decoding", "  mixed: {shards: 3, decoding")
    folder = f"{RESULTS}/outliers/digits/mixed"
    names = [f"{i}of3.parquet" for i in range(3)]
    chain.run(*(f"{folder}/{name}" for name in names))
    whole = rows(synthesised, "outliers/digits/mixed/0of1.parquet")
    parts = [row for name in names for row in rows(chain, f"outliers/digits/mixed/{name}")]
    assert [row["outlier"] for row in parts] == [row["outlier"] for row in whole]
    np.testing.assert_allclose(
        [row["embedding"] for row in parts], [row["embedding"] for row in whole], atol=1e-4
    )
    same = [a["image"] == b["image"] for a, b in zip(parts, whole, strict=True)]
    assert np.mean(same) > 0.95


def test_judges_of_folds_saw_every_outlier_once(synthesised):
    """In-sample and cross-fitted scores are of the same outliers, and differ."""
    names = [row["outlier"] for row in rows(synthesised, "outliers/digits/mixed/0of1.parquet")]
    model = "selections/digits/resnet34/{}/seed0.parquet"
    for recipe in ("bad-ood", "bad-ood-in-sample"):
        chosen = rows(synthesised, model.format(recipe))
        assert sorted(row["outlier"] for row in chosen) == sorted(names)
        assert all(0 <= row["q"] <= 1 for row in chosen)
        assert any(row["kept"] for row in chosen)


def test_calibration_reads_heldout_images_that_no_detector_trained_on(synthesised):
    energies = "energies/digits/resnet34/detector/seed0.parquet"
    found = provenance_of(synthesised.folder / RESULTS / energies)
    assert "results/tiny/images/digits-heldout.parquet" in found["inputs"]
    model = provenance_of(
        synthesised.folder / RESULTS / "models/digits/resnet34/detector/seed0/model.safetensors"
    )
    assert not any("heldout" in path or "things" in path for path in model["inputs"])
    origins = [
        {row["origin"] for row in pq.read_table(
            synthesised.folder / RESULTS / f"images/digits-{part}.parquet", columns=["origin"]
        ).to_pylist()}
        for part in ("train", "heldout", "test")
    ]  # fmt: skip
    assert not (origins[0] & origins[1] | origins[0] & origins[2] | origins[1] & origins[2])


def test_show_tells_a_calibrations_parameters_and_quality(synthesised):
    text = show(
        synthesised.folder / RESULTS / "calibrations/digits/resnet34/detector/seed0/beta.parquet"
    )
    for part in ("rule calibrations", '"parameters"', '"ece_width"', '"held_out"', '"reliability"'):
        assert part in text


def test_what_a_filter_kept_is_told_in_the_table(synthesised):
    text = (synthesised.folder / RESULTS / "tables/chain.md").read_text()
    for label, recipe in (("Mid", "bad-ood"), ("In-sample", "bad-ood-in-sample")):
        chosen = rows(synthesised, f"selections/digits/resnet34/{recipe}/seed0.parquet")
        kept = sum(row["kept"] for row in chosen)
        assert f"{label}: {kept} of {len(chosen)} outliers kept, by seed." in text
    assert "No filter:" not in text


def test_shortcuts_are_looked_for_in_what_a_detector_trains_on(synthesised):
    """A caption tells how well outliers are told from ID images, and from these as decoded."""
    text = (synthesised.folder / RESULTS / "tables/chain.md").read_text()
    measured = {}
    for passed in ("images", "reconstructions"):
        (both,) = [
            row["auroc"]
            for row in rows(synthesised, f"shortcuts/digits/mixed/{passed}.parquet")
            if row["measure"] == "both"
        ]
        measured[passed] = f"both {both:.2f}."
    lines = [line for line in text.splitlines() if "AUROC of colour and detail alone" in line]
    through = [line for line in lines if "ID images through its tokenizer" in line]
    assert len(lines) == 2
    assert len(through) == 1
    assert measured["reconstructions"] in through[0]
    assert any(measured["images"] in line for line in lines if line not in through)


def test_the_guidance(chain):
    """Embeddings and all after them; no part is trained again."""
    chain.edit("config/config.yaml", "      start: 300\n", "      start: 290\n")
    planned = chain.planned()
    assert rules(planned) == {"embeddings", "outliers", "shortcuts", "models", *AFTER_MODELS}
    assert recipes(planned) == DETECTORS


def test_the_decoding(chain):
    chain.edit("workflow/penumbra/outliers/decode.py", "* 255)", "* 255.0)")
    planned = chain.planned()
    assert "embeddings" not in rules(planned)
    assert "outliers" in rules(planned)


def test_a_generative_loss(chain):
    """MAGE alone is trained again, and its images made again; not the other parts."""
    chain.edit(
        "workflow/penumbra/training/objectives/mage.py", "SMOOTHING = 0.1", "SMOOTHING = 0.11"
    )
    planned = chain.planned()
    assert {w for r, w in planned if r == "parts"} == {"part=mage-l"}
    assert not {"representations", "embeddings"} & rules(planned)


def test_the_band(chain):
    """Selections, and the detectors trained on them; neither judges nor calibrations."""
    chain.edit("tiny.yaml", "mid: {low: 0.0, high: 1.0}", "mid: {low: 0.0, high: 0.999}")
    planned = chain.planned()
    assert recipes(planned, "selections") == {"bad-ood", "bad-ood-in-sample"}
    assert recipes(planned) == {"bad-ood", "bad-ood-in-sample"}
    assert not {"energies", "calibrations", "outliers"} & rules(planned)


def test_the_calibration(chain):
    chain.edit("workflow/penumbra/calibration/maps/beta.py", "np.log(2) * np", "np.log(2.0) * np")
    planned = chain.planned()
    judges = {"detector", "detector-fold0", "detector-fold1", "bad-ood"}
    assert recipes(planned, "calibrations") <= judges
    assert recipes(planned) == {"bad-ood", "bad-ood-in-sample"}


def test_the_energy_regulariser(chain):
    """Detectors are trained again; no part, no outlier."""
    edited = "return cross_entropy + self.options"
    chain.edit(
        "workflow/penumbra/training/methods/energy.py", edited, edited.replace(" +", " * 1 +")
    )
    planned = chain.planned()
    assert recipes(planned) == DETECTORS
    assert not {"parts", "embeddings", "outliers"} & rules(planned)


def test_an_empty_band_stops_with_the_histogram_and_loses_nothing(chain):
    chain.edit("tiny.yaml", "mid: {low: 0.0, high: 1.0}", "mid: {low: 0.31234, high: 0.31235}")
    done = chain.run(check=False)
    assert done.returncode != 0
    for part in ("histogram", "mode quantile", "judges of folds", "lie in 0.31234"):
        assert part in done.output
    kept = "calibrations/digits/resnet34/detector/seed0/beta.parquet"
    assert (chain.folder / RESULTS / kept).is_file()


def test_generator_of_another_encoder_is_refused_by_its_tensors(chain):
    """An encoder trained anew does not fit a MAGE that is still of the old one."""
    mage = chain.folder / RESULTS / "parts/mage-l/model.safetensors"
    state = load_file(mage)
    state["pretrained_encoder.norm.bias"] += 1
    write_checkpoint(mage, state, provenance_of(mage))
    target = f"{RESULTS}/outliers/digits/mixed/0of1.parquet"
    done = chain.run(target, "--forcerun", "outliers", check=False)
    assert done.returncode != 0
    assert "the encoder inside it" in done.output


def test_fewer_anchors_than_outliers_stop_with_the_mend(chain):
    chain.edit("config/config.yaml", "    per_class: null #", "    per_class: 30 #")
    done = chain.run(f"{RESULTS}/embeddings/digits/mixed/0of1.parquet", check=False)
    assert done.returncode != 0
    assert "30 outliers are asked for" in done.output
    assert "cycle: true" in done.output


def test_a_killed_part_resumes_and_ends_with_the_same_bytes(tmp_path):
    """As for classifiers: the state after an epoch lies in scratch/, outside the outputs."""
    target = f"{RESULTS}/parts/rdm-l/model.safetensors"
    made = Tiny(tmp_path, CHAIN)
    made.edit("tiny.yaml", "training: {epochs: 10}}", "training: {epochs: 200}}")
    assert made.run_killed(target, "parts rdm-l: epoch 2/200") != 0
    assert not (made.folder / target).exists()
    output = made.run(target).output
    assert "resuming after epoch" in output
    assert "epoch 1/200" not in output
    resumed = (made.folder / target).read_bytes()
    (made.folder / target).unlink()
    assert "epoch 1/200" in made.run(target).output
    assert (made.folder / target).read_bytes() == resumed
