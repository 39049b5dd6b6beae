"""Figure 2 of paper uat shows what a trained network makes of images, and what was scored."""

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.inference import build
from penumbra.reporting.figures import uat_figure02
from penumbra.reporting.running import reader
from penumbra.store.artifacts import write_checkpoint, write_parquet
from penumbra.store.columns import column
from tests.training.helpers import HALF, digits

NETWORK = {"network": "resnet", "layers": 18, "width": 2, "stem": "fn"}
BLOCK = "layer4.1"
SETS = {"test": 7, "ood": 5}


@pytest.fixture
def files(tmp_path):
    """A network with a map, images of two sets, and the scores of each under x + L."""
    torch.manual_seed(0)
    tensors = {f"model.{k}": v for k, v in build(NETWORK, 10).state_dict().items()}
    tensors["map@input"] = torch.rand(1, 3, 16, 16) * 0.2 - 0.1
    names = {"benchmark": "digits", "backbone": "tiny", "recipe": "uat", "seed": "0"}
    write_checkpoint(tmp_path / "model.safetensors", tensors, {"wildcards": names})
    blocks = pa.table({"block": ["layer4.0", BLOCK], "chosen": [False, True]})
    write_parquet(tmp_path / "blocks.parquet", blocks, {})
    pixels, labels = digits(sum(SETS.values()))
    parts = {"test": slice(0, SETS["test"]), "ood": slice(SETS["test"], None)}
    run = reader(tmp_path / "model.safetensors", {"backbone": NETWORK, "normalisation": HALF})
    rows = {key: [] for key in ("image_set", "role", "index", "score")}
    for name, part in parts.items():
        images = ImageSet(
            pixels[part], labels[part], [""] * SETS[name], [str(i) for i in range(10)]
        )
        write_parquet(tmp_path / f"{name}.parquet", to_table(images), {})
        for i in range(SETS[name]):
            rows["image_set"].append(name)
            rows["role"].append(name)
            rows["index"].append(i)
            passed = uat_figure02.passing(run, BLOCK, pixels[part][[i]])
            rows["score"].append(passed.score)
    table = pa.table({key: column(values) for key, values in rows.items()})
    write_parquet(tmp_path / "scores.parquet", table, {})
    made = {name: [tmp_path / f"{name}.parquet"] for name in ("blocks", "scores", "test", "ood")}
    return {**made, "model": [tmp_path / "model.safetensors"]}


def drawn(files):
    networks = {"model": {"backbone": NETWORK, "normalisation": HALF}}
    config = {"title": "T", "options": {"channels": 9}, "networks": networks}
    figure = uat_figure02.draw(files, config)
    yield from figure.axes[0].child_axes
    plt.close(figure)


def test_the_numbers_are_the_scores_of_the_images_of_median_score(files):
    """Six pictures an image; the last says its score, and stands where the score is."""
    panels = list(drawn(files))
    assert len(panels) == 12
    for kind, last in zip(SETS, panels[5::6], strict=True):
        scores, index = uat_figure02.scored(files, kind)
        assert np.median(scores) == scores[index]
        assert last.get_title().startswith(f"CCFN {scores[index]:.3g} (FN ")
        (line,) = last.lines
        assert line.get_xdata()[0] == pytest.approx(scores[index])


def test_calibration_is_equation_5(files):
    """The mean of all channels' rescaled norms is the score, and of the maps' own norms is FN."""
    run = reader(files["model"][0], {"backbone": NETWORK, "normalisation": HALF})
    pixels, _ = digits(1)
    passed = uat_figure02.passing(run, BLOCK, pixels)
    rescaled = passed.maxima[:, None, None] * passed.maps
    norms = np.sqrt((rescaled.astype(np.float64) ** 2).sum((1, 2)))
    assert passed.score == pytest.approx(norms.mean(), rel=1e-6)
    assert passed.plain == pytest.approx(passed.norms.mean(), rel=1e-6)
    clean = pixels[0].transpose(1, 2, 0) / 255
    moved = run.perturb[1][0].permute(1, 2, 0).numpy() / 2  # the normalisation's std is 0.5
    np.testing.assert_allclose(passed.image, np.clip(clean + moved, 0, 1), atol=1e-6)


def test_channels_are_spread_from_the_strongest_to_the_weakest():
    maxima = [np.array([1.0, 9.0, 5.0, 3.0, 7.0]), np.array([1.0, 9.0, 5.0, 3.0, 7.0])]
    assert uat_figure02.spread(maxima, 3).tolist() == [1, 2, 0]
    assert uat_figure02.spread(maxima, 9).tolist() == [1, 4, 2, 3, 0]


def test_maps_lie_side_by_side():
    maps = np.arange(3.0)[:, None, None] * np.ones((3, 2, 2))
    made = uat_figure02.mosaic(maps)
    assert made.shape == (5, 5)
    assert made[0, 0] == 0
    assert made[0, 4] == 1
    assert made[4, 0] == 2
    assert np.isnan(made[2]).all()
    assert np.isnan(made[4, 4])
