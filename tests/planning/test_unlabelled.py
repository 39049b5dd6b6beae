"""What may be asked of models that are trained without labels."""

import pytest

from penumbra.errors import PenumbraError
from penumbra.planning import scorers
from penumbra.planning.tables import Tables
from penumbra.planning.world import World
from tests.planning.helpers import checked

NO_CLASSES = "it is trained without labels and has no classes"
METRICS = ("auroc", "alignment", "test_accuracy", "running_accuracy", "train_seconds")


@pytest.fixture
def made(world_of, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/features.yaml").write_text(
        f"title: Features\ncolumns: [{{group: far, metrics: [{', '.join(METRICS)}]}}]\n"
        "backbone: resnet18\n"
        "rows:\n"
        "  - {label: KNN, recipe: simclr, scorer: knn}\n"
        "  - {label: SSD, recipe: rotloss, scorer: ssd}\n"
        "  - {label: GODIN, recipe: godin, scorer: knn}\n"
        "  - {label: UAT, recipe: uat, scorer: knn, input: map}\n"
    )
    own = tmp_path / "own.yaml"
    own.write_text("tables: [features]\n")
    return world_of("embedded-full", {"tables": ["features"]}, [own])


def test_features_are_scored_and_no_accuracy_is_told(made: World):
    checked(made.config, made.folder, made.files.paths)
    cells = {(cell.row, cell.metric): cell for cell in Tables(made).of("features")}
    for row, scorer in enumerate(("knn", "ssd")):
        assert cells[row, "auroc"].scorer == scorer
        assert cells[row, "auroc"].missing is None
        assert cells[row, "train_seconds"].files
        for metric in ("alignment", "test_accuracy", "running_accuracy"):
            assert cells[row, metric].missing == NO_CLASSES
            assert cells[row, metric].files == ()


def test_the_lemmas_are_measured_on_linear_last_layers_and_as_the_row_reads(made: World):
    cells = {(cell.row, cell.metric): cell for cell in Tables(made).of("features")}
    godin, uat = cells[2, "alignment"], cells[3, "alignment"]
    assert (godin.files, godin.missing) == ((), "its last layer is not linear")
    assert uat.missing is None
    assert all(
        file == f"results/{made.name}/theory/digits/resnet18/uat/seed{seed}/map-uat.parquet"
        for seed, file in zip(made.config["seeds"], uat.files, strict=True)
    )


@pytest.mark.parametrize("scorer", ["msp", "vim", "odin", "nac", "react"])
def test_a_scorer_of_logits_is_refused(made, scorer):
    names = {"benchmark": "digits", "backbone": "resnet18", "recipe": "simclr", "seed": "0"}
    reading = {**names, "input": "clean"}
    with pytest.raises(PenumbraError, match=f"scorer {scorer}: it reads .* recipe simclr trains"):
        scorers.check(made, {**reading, "scorer": scorer})
    for of_features in ("knn", "ssd", "mahalanobis", "fn", "ccfn"):
        scorers.check(made, {**reading, "scorer": of_features})
