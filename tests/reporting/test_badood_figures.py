"""The figures of the Bad-OOD paper, drawn from artifacts of a small chain."""

import functools
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from scipy.stats import spearmanr

from penumbra.audit.lineage import lineage
from penumbra.calibration.maps import beta
from penumbra.calibration.prior import under
from penumbra.errors import PenumbraError
from penumbra.evaluation.diversity import jpeg_of_mean, mean_of_jpeg
from penumbra.images.image_set import pixels_at
from penumbra.networks.inference import Reader, restore
from penumbra.outliers.store import from_png
from penumbra.planning.config import merge
from penumbra.planning.figures import Figures
from penumbra.planning.world import World
from penumbra.plugins import load
from penumbra.reporting.drawing import save
from penumbra.reporting.figures.badood_gallery import spread, written
from penumbra.reporting.outlier_images import OutlierSet, anchor_pixels, places_of
from penumbra.store.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.store.closure import code_of
from penumbra.store.columns import column, numbers
from tests.reporting import chain

NAMES = ["01", "02", "03", "04a", "04b", "05", "06", "07", "08", "09", "10", "11"]


@pytest.fixture(scope="module")
def world(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    shards = {name: {"shards": count} for name, count in chain.SHARDS.items()}
    return World(merge(config, {"seeds": [0, 1], "outliers": shards}), root / "config", [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("chain"))
        yield chain.build_chain()


@pytest.fixture(scope="module")
def planned(world, folder):
    """A figure's files and config as its rule would give them."""

    def plan(name):
        config = json.loads(Figures(world).spec({"figure": f"badood_figure{name}"}))["config"]
        files = {role: list(map(Path, found)) for role, found in config["inputs"].items()}
        return files, config

    return plan


def draw(files, config):
    return load("reporting.figures", config["module"]).draw(files, config)


@pytest.fixture(scope="module")
def drawn(planned):
    return functools.cache(lambda name: draw(*planned(name)))


def texts(axis):
    return [text.get_text() for text in axis.texts]


def shown(axis):
    """The picture in an axis as uint8 (3, H, W)."""
    (image,) = axis.images
    return np.asarray(image.get_array()).transpose(2, 0, 1)


def svg(figure):
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


@pytest.mark.parametrize("name", ["01", "02", "03", "04a", "04b", "05"])  # one of each module
def test_a_picture_depends_on_the_content_alone(name, drawn, planned):
    assert svg(drawn(name)) == svg(draw(*planned(name)))


def test_files_have_equal_bytes(planned, tmp_path):
    for i in range(2):
        save(draw(*planned("03")), tmp_path / f"{i}.png", tmp_path / f"{i}.svg")
    for kind in ("png", "svg"):
        assert (tmp_path / f"0.{kind}").read_bytes() == (tmp_path / f"1.{kind}").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_figure_loads_by_name_lies_in_its_closure(name, world):
    found = json.loads(Figures(world).spec({"figure": f"badood_figure{name}"}))
    code = code_of(["penumbra.stages.figures", *found["roots"]])
    assert code["digest"] == found["code"]
    calibrated = any(
        "calibrations/" in file for f in found["config"]["inputs"].values() for file in f
    )
    if name in ("05", "06"):
        assert calibrated
        assert "penumbra.calibration.maps.beta" in code["modules"]


# Figure 1


def test_edges_are_what_provenance_says(planned):
    files, _ = planned("01")
    nodes = {node.role: node for node in lineage(files)}
    assert {role: set(node.parents) for role, node in nodes.items()} == {
        "representations": set(),
        "embeddings": {"representations"},
        "outliers": {"embeddings"},
        "detector": {"outliers"},
        "energies": {"outliers", "detector"},
        "calibration": {"energies"},
        "selection": {"calibration"},
        "retrained": {"outliers", "selection"},
        "outputs": {"retrained"},
        "scores": {"outputs"},
        "metrics": {"scores"},
    }
    assert nodes["representations"].sources == {"images": ["digits-train"], "parts": ["moco-l"]}
    assert nodes["embeddings"].sources == {"parts": ["rdm-l"]}
    assert nodes["outliers"].sources == {"parts": ["mage-l"]}
    assert nodes["selection"].sources == {}
    assert [nodes[role].layer for role in ("representations", "outliers", "metrics")] == [0, 2, 10]


def test_pipeline_shows_numbers_of_the_artifacts(drawn, planned):
    files, _ = planned("01")
    boxes, axis = drawn("01").axes
    written = "\n".join(texts(boxes))
    kept = numbers_of(files["selection"][0], "kept")
    q = numbers_of(files["selection"][0], "q")
    assert 0 < kept.sum() < 60
    assert f"{kept.sum()} of 60 kept" in written
    assert f"({kept.mean():.1%})" in written
    rows = read_parquet(files["metrics"][0])
    assert f"FPR95 {100 * numbers(rows['fpr95']).mean():.2f} %" in written
    assert "200 held-out ID\n300 calibration OOD\n60 outliers" in written
    (band,) = [patch for patch in axis.patches if patch.get_label() == "kept"]
    assert (band.get_x(), band.get_width()) == pytest.approx((q[kept].min(), np.ptp(q[kept])))
    assert [line.get_xdata()[0] for line in axis.lines] == [0.3, 0.5]
    steps = [p for p in axis.patches if p.get_label() == "held-out ID"]
    assert sum(steps[0].get_data().values) == pytest.approx(1)


def numbers_of(file, name):
    return np.array(read_parquet(file)[name].to_pylist())


# Figures 2 and 9


@pytest.mark.parametrize(("name", "labels"), [("02", [0, 1, 2, 3]), ("09", [4])])
def test_gallery_goes_from_the_largest_q_down(name, labels, drawn, planned):
    files, config = planned(name)
    outliers = OutlierSet(files["outliers"])
    q = dict(
        zip(*(numbers_of(files["calibration"][0], key) for key in ("outlier", "q")), strict=True)
    )
    figure = drawn(name)
    columns = len(figure.axes) // len(labels)
    assert columns == 1 + min(config["options"]["samples"], config["options"]["columns"])
    for i, label in enumerate(labels):
        line = figure.axes[i * columns : (i + 1) * columns]
        rows = sorted(np.flatnonzero(outliers.labels == label), key=lambda r: -q[outliers.names[r]])
        anchor = outliers.anchors[rows[0]]
        assert line[0].get_ylabel() == str(label)
        assert (shown(line[0]) == chain.digits().pixels[anchor]).all()
        for axis, row in zip(line[1:], rows, strict=False):
            assert (shown(axis) == stored(files["outliers"], row)).all()
            assert texts(axis) == [written(q[outliers.names[row]])]
    assert "larger = closer to ID" in figure.get_suptitle()


def stored(shards, row):
    """An outlier's image, read the long way round."""
    images = [data for file in shards for data in read_parquet(file)["image"].to_pylist()]
    return from_png(images[row])


def test_samples_are_spread_over_q():
    q = np.array([0.1, 0.9, 0.5, 0.3, 0.7, 0.2])
    assert spread(q, np.array([0, 1, 2, 3, 4]), 3).tolist() == [1, 2, 0]
    assert [written(value) for value in (0.314, 0.0123, 0.0042, 3e-5, 2e-11)] == [
        "0.31", "0.01", "4e-3", "3e-5", "2e-11"
    ]  # fmt: skip


def test_classes_of_another_world_give_way_to_places_and_typos_do_not():
    classes = ["cat", "dog", "owl"]
    assert places_of(classes, ["owl", "cat"], [0]) == [2, 0]
    assert places_of(classes, ["n01", "n02"], [1, 5]) == [1]
    with pytest.raises(PenumbraError, match="unknown class 'dgo'; did you mean 'dog'"):
        places_of(classes, ["cat", "dgo"], [0])
    with pytest.raises(PenumbraError, match="has none"):
        places_of(classes, ["n01"], [3])


def test_anchors_of_another_training_set_are_refused(folder):
    train = Path(chain.place("images", image_set="digits-train"))
    pixels = chain.digits().pixels
    assert (anchor_pixels(train, [7, 3, 7]) == pixels[[7, 3, 7]]).all()
    with pytest.raises(PenumbraError, match=r"image 60 .* made from another training set"):
        anchor_pixels(train, [60])


def test_images_are_read_over_parts(folder, tmp_path):
    table = read_parquet(chain.place("images", image_set="digits-train"))
    write_parquet(tmp_path / "parts.parquet", [table.slice(0, 25), table.slice(25)], {})
    assert (
        pixels_at(tmp_path / "parts.parquet", [59, 0, 25, 24])
        == chain.digits().pixels[[59, 0, 25, 24]]
    ).all()


# Figures 3, 10, 11


def test_categories_stand_in_their_columns(drawn, planned):
    files, _ = planned("03")
    rows = read_parquet(files["categories"][0]).to_pylist()
    names = OutlierSet(files["outliers"]).names
    axes = drawn("03").axes
    assert len(axes) == 12
    first = [row for row in rows if row["label"] == 0]
    for axis, row in zip(axes[1:4], first, strict=True):  # one of each category, in order
        assert (shown(axis) == stored(files["outliers"], names.index(row["outlier"]))).all()
    assert [axis.get_xlabel() for axis in axes[1:4]] == [
        "", f"9 ({first[1]['probability']:.2f})", f"9 ({first[2]['probability']:.2f})"
    ]  # fmt: skip
    assert texts(axes[6]) == ["none in\nthe sample"]
    assert not axes[6].images
    severe = [row for row in rows if row["label"] == 1 and row["category"] == 3]
    least = min(severe, key=lambda row: row["probability"])
    assert (shown(axes[7]) == stored(files["outliers"], names.index(least["outlier"]))).all()
    assert axes[7].get_xlabel().startswith("8 (")
    assert [axes[4 * i].get_ylabel() for i in range(3)] == ["0", "1", "2"]


def test_one_class_has_a_figure_of_its_own(drawn):
    assert [axis.get_ylabel() for axis in drawn("10").axes] == ["3", "", "", ""]
    assert drawn("11").axes[0].get_ylabel() == "4"


# Figure 4


def heights(axis):
    return [bar.get_height() for bar in axis.patches]


def test_diversity_bars_are_the_measures_of_the_images(drawn, planned):
    files, config = planned("04a")
    figure = drawn("04a")
    assert "6 outliers of each of 10 categories" in figure.get_suptitle()
    checkpoint = read_checkpoint(files["recogniser"][0])
    network = config["networks"]["recogniser"]
    model = restore(network["backbone"], 10, checkpoint)
    recogniser = Reader(model, network["normalisation"], None, 64, torch.device("cpu"))
    for i, role in enumerate(("minority", "gaussian", "unguided")):
        images = [stored(files[role], row) for row in range(60)]
        seen = recogniser.outputs(np.stack(images))["logits"].argmax(1)
        assert heights(figure.axes[0])[i] == len(set(seen)) / 10
        outliers = OutlierSet(files[role])
        large = np.stack([outliers.pixels(row, 256) for row in range(60)]).reshape(
            10, 6, 3, 256, 256
        )
        means = [jpeg_of_mean(pixels, 95) for pixels in large]
        assert heights(figure.axes[1])[i] == pytest.approx(np.mean(means))
        assert heights(figure.axes[2])[i] == pytest.approx(
            mean_of_jpeg(large.reshape(-1, 3, 256, 256), 95)
        )
        assert f"± {np.std(means, ddof=1):.0f}" in texts(figure.axes[1])[i]
    noisy, faint, _ = heights(figure.axes[2])
    assert noisy > faint  # Gaussian outliers of the chain have a fifth of the noise
    absent = texts(figure.axes[0])[3].replace("\n", " ")
    assert absent == "this world has no outlier set dream-ood"


def test_diversity_wants_outliers_of_every_class(planned, tmp_path):
    """Those of kinds without anchors may have none."""
    files, config = planned("04a")
    file = files["minority"][0]
    table = read_parquet(file)
    labels = numbers(table["label"]).copy()
    labels[labels == 3] = -1
    place = table.column_names.index("label")
    without = tmp_path / file.name
    rest = files["minority"][1:]
    pq.write_table(table.set_column(place, "label", column(labels)), without)
    with pytest.raises(PenumbraError, match="of category 3 it has no outlier, and 6 without a c"):
        draw({**files, "minority": [without, *rest]}, config)


def test_detection_bars_are_means_over_sets_and_seeds(drawn):
    figure = drawn("04b")
    for axis, metric in zip(figure.axes, ("fpr95", "auroc"), strict=True):
        expected = []
        for recipe in ("detector-config1", "detector-config2", "detector"):
            files = [chain.place("metrics", recipe=recipe, seed=s) for s in (0, 1)]
            means = [100 * numbers(read_parquet(file)[metric]).mean() for file in files]
            expected.append((np.mean(means), np.std(means, ddof=1)))
        assert heights(axis) == pytest.approx([mean for mean, _ in expected])
        assert [bar.get_center()[0] for bar in axis.patches] == pytest.approx([0, 3, 4])
        for place, (mean, std) in zip((0, 3, 4), expected, strict=True):
            assert texts(axis)[place] == f"{mean:.2f} ± {std:.2f}"
        assert "no recipe detector-dit" in texts(axis)[1].replace("\n", " ")
    assert "mean over 2 OOD image sets; 2 seeds" in figure.get_suptitle()


# Figures 5 to 8


def panel(figure, title):
    (axis,) = [axis for axis in figure.axes if axis.get_title() == title]
    return axis


def test_semantic_shift_goes_down_and_covariate_shift_right(drawn):
    figure = drawn("06")
    for title, steep in (("energy", 0), ("KNN", 0), ("MSP", 1), ("ODIN", 1)):
        axis = panel(figure, title)
        (image,) = axis.images
        found = np.asarray(image.get_array())
        assert image.origin == "upper"
        assert (found[0, 0], found[7, 7]) == (0, 1)
        assert (found[7, 0] > 0.8) == (steep == 0)  # bottom left: all semantic shift
        assert (found[0, 7] > 0.8) == (steep == 1)
        assert image.get_clim() == (0, 1)
        red, _, blue, _ = image.cmap(1.0)
        assert red > blue
        means = np.asarray(found).ravel()
        levels = np.indices((8, 8)).reshape(2, -1)
        rows, columns = (spearmanr(means, level).statistic for level in levels)
        assert f"semantic {rows:+.2f}, covariate {columns:+.2f}" in axis.get_xlabel()
    assert len([axis for axis in figure.axes if axis.get_title()]) == 8


def test_beta_panel_maps_energies_through_the_calibration(drawn, planned):
    files, _ = planned("05")
    rows = [row for row in read_parquet(files["energy"][0]).to_pylist() if row["role"] == "ood"]
    meta = json.loads(read_parquet(files["beta"][0]).schema.metadata[b"calibration"])
    energy = -np.array([row["score"] for row in rows])
    q = under("uniform", beta.probability(energy, meta["parameters"]), 200, 300)
    means = np.zeros((8, 8))
    for row, value in zip(rows, 1 - q, strict=True):
        means[row["label"] % 8, row["label"] // 8] += value / 3
    expected = (means - means.min()) / np.ptp(means)
    found = panel(drawn("05"), "beta score").images[0].get_array()
    assert np.asarray(found) == pytest.approx(expected, abs=1e-12)
    assert found[7, 0] > found[0, 7]


def test_a_calibration_of_another_model_is_refused(planned):
    files, config = planned("05")
    files["beta"] = [Path(chain.place("calibrations", recipe="gaussian-mid", calibration="beta"))]
    with pytest.raises(PenumbraError, match="of another model"):
        draw(files, config)


def test_panels_of_recipes_that_a_world_has_not_say_so(drawn):
    for name, recipe in (("07", "npos"), ("08", "dream-ood")):
        told = texts(panel(drawn(name), "beta score"))[0].replace("\n", " ")
        assert f"no recipe {recipe}" in told
