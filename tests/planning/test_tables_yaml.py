"""The files of config/tables as people write them: what is wrong is told with file and key."""

import copy
import shutil

import pytest
import yaml

from penumbra.errors import PenumbraError
from penumbra.planning.config import merge
from penumbra.planning.figures import Figures
from penumbra.planning.tables import Tables
from tests.planning.helpers import checked, required

ROW = {"label": "MSP", "recipe": "standard", "scorer": "msp"}
FAR = {"group": "far", "label": "Far", "metrics": ["fpr95"]}
TABLE = {"title": "Mine", "backbone": "resnet18", "columns": [FAR], "rows": [ROW]}


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    """A copy of config/."""
    made = tmp_path_factory.mktemp("mine") / "config"
    shutil.copytree(root / "config", made)
    return made


@pytest.fixture
def world(folder):
    """The embedded world with one table, or one figure, of one's own."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    files = []

    def make(data, name="mine", **more):
        text = data if isinstance(data, str | bytes) else yaml.safe_dump(data, allow_unicode=True)
        files.append(folder / f"tables/{name}.yaml")
        files[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
        asked = {"tables": [], "figures": []} | more
        asked["figures" if "figure" in name else "tables"] = [name]
        return checked(merge(config, asked), folder, [folder / "config.yaml"])

    yield make
    for file in files:
        file.unlink(missing_ok=True)


def table(without=(), **changes):
    made = {**copy.deepcopy(TABLE), **changes}
    return {key: value for key, value in made.items() if key not in without}


def column(**changes):
    return table(columns=[{**FAR, **changes}])


def row(without=(), **changes):
    made = {**ROW, **changes}
    return table(rows=[{key: value for key, value in made.items() if key not in without}])


WRONG = {
    "title": (table(["title"]), "a table has title, too; say it"),
    "rows": (table(["rows"]), "a table has rows, too"),
    "columns": (table(["columns"]), "a table has columns, too"),
    "all": ({"notes": []}, "a table has title, columns, rows, too"),
    "no-rows": (table(rows=[]), "rows: .*non-empty"),
    "row-text": (table(rows=["MSP"]), "rows.0: 'MSP' is not of type 'object'"),
    "recipe": (row(["recipe"]), "rows.0: MSP: fpr95 needs its `recipe`; say it"),
    "scorer": (row(["scorer"]), "rows.0: MSP: fpr95 needs its `scorer`; say it"),
    "backbone": (table(["backbone"]), "rows.0: MSP: fpr95 needs its `backbone`; say it"),
    "outliers": (
        table(columns=[{"metrics": ["ood1_count"]}]),
        "ood1_count needs its `outliers`; say it",
    ),
    "label-name": (column(label="{nope}"), r"columns.0.label: '{nope}' wants {nope}; {benchmark}"),
    "label-place": (column(label="{0}"), r"columns.0.label: '\{0\}' wants \{0\}"),
    "label-empty": (column(label="{}"), "columns.0.label: '{}' wants {}"),
    "label-open": (column(label="{"), "columns.0.label: '{': Single '{'"),
    "label-close": (column(label="a }"), "columns.0.label: 'a }': Single '}'"),
    "label-attribute": (column(label="{benchmark.x}"), "columns.0.label: .*wants {benchmark.x}"),
    "label-format": (column(label="{backbone:>9}"), "columns.0.label: .*wants {backbone}"),
    "label-backbones": (
        {
            **table(["backbone"], rows=[{**ROW, "backbone": name} for name in ("wrn", "vgg11")]),
            "columns": [{**FAR, "label": "{backbone}"}],
        },
        "columns.0.label: rows differ in their backbone; say one `with` the column",
    ),
    "like-itself": (
        {**table(), "like": "mine"},
        "like: mine is this file itself, .*; give it another name",
    ),
    "like-none": ({"like": "nope"}, "like: unknown table 'nope'"),
    "like-figure": ({"like": "badood_figure01"}, "like: badood_figure01 is one of the figures"),
    "latin-1": ("title: café\n".encode("latin-1"), "1: the byte 0xe9 is not UTF-8"),
    "empty": ("", "1: the file is empty"),
    "key": ({**table(), "colums": []}, "unknown key 'colums'; did you mean 'columns'"),
    "rows-twice": (table(rows=[ROW, ROW]), "rows.1: MSP: as row 0; keep one"),
    "label-twice": (table(rows=[ROW, {**ROW, "scorer": "knn"}]), "rows.1: MSP: as row 0"),
    "row-twice": (table(rows=[ROW, {**ROW, "label": "Other"}]), "rows.1: Other: as row 0"),
    "metrics-twice": (column(metrics=["fpr95", "fpr95"]), "columns.0.metrics: .*non-unique"),
    "columns-twice": (table(columns=[FAR, FAR]), "columns.1: fpr95 stands in column 0 already"),
    "metric": (column(metrics=["fpr59"]), "columns.0.metrics.0: unknown metric 'fpr59'; .*'fpr95'"),
    "group": (
        table(columns=[{"metrics": ["fpr95"]}]),
        "columns.0: fpr95 is of OOD image sets; name",
    ),
    "latency": (table(columns=[{"metrics": ["latency"]}]), "latency is measured of block scorers"),
    "map": (row(input="map"), "recipe standard learns no universal map"),
    "role": (
        row(benchmark="mian"),
        "rows.0.benchmark: unknown role or benchmark 'mian'; did you mean 'main'",
    ),
    "map-of": (row(input={"map_of": "uta"}), "rows.0.input.map_of: unknown recipe 'uta'; .*'uat'"),
    "with": (
        column(**{"with": {"backbone": "x"}}),
        "columns.0.with.backbone: unknown backbone 'x'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_table_is_told_with_its_file_and_key(world, name):
    data, message = WRONG[name]
    with pytest.raises(PenumbraError, match=rf"tables/mine\.yaml:.*{message}"):
        required(world(data))


def test_all_of_a_table_and_of_others_is_told_at_once(world, folder):
    first = table(
        ["title"], rows=[{**ROW, "recipe": "x"}, {"label": "B"}], columns=[{**FAR, "label": "{x}"}]
    )
    (folder / "tables/other.yaml").write_text(yaml.safe_dump(row(scorer="y")))
    made = world(first, figures=["uat_figure05"])
    made.config["tables"] = ["mine", "other"]
    with pytest.raises(PenumbraError) as error:
        required(made)
    (folder / "tables/other.yaml").unlink()
    rows = str(error.value).splitlines()
    assert len(rows) == 6  # title, recipe x, label, B's recipe and scorer; y
    assert sum("other.yaml" in line for line in rows) == 1


@pytest.mark.parametrize(
    "data",
    [
        table(),
        column(label="{benchmark}, {backbone}"),
        row(recipe="dml-focal"),
        row(backbone="vgg11"),
        column(**{"with": {"backbone": "vgg11"}}),
        table(rows=[ROW, {"label": "A", "missing": "why"}, {"label": "B", "missing": "why"}]),
        {"like": "uat_table01", "title": "Mine"},
        table(columns=[FAR, {**FAR, "with": {"scorer": "knn"}}]),
    ],
)
def test_what_is_right_stays_right(world, data):
    required(world(data))


CLIP = {"label": "CLIP", "network": "clip", "options": {"folder": "c"}}
LEFT_OUT = {
    "recipe": (row(recipe="dhm"), {}, "this world has no recipe dhm"),
    "backbone": (row(backbone="vgg11"), {}, "this world has no backbone vgg11"),
    "scorer": (row(scorer="nan"), {"scorers": {"nan": None}}, "this world has no scorer nan"),
    "map": (row(input={"map_of": "dhm"}), {}, "this world has no recipe dhm"),
    "role": (
        column(**{"with": {"benchmark": "near"}}, sets="each"),
        {"roles": {"near": None}},
        "this world has no benchmark for the role near",
    ),
    "weights": (
        row(backbone="clip"),
        {"backbones": {"clip": {**CLIP, "missing": "omit"}}},
        "weights/c/config.json is not there",
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_row_says_what_its_world_leaves_out(world, name):
    data, over, reason = LEFT_OUT[name]
    made = world(data, **over)
    required(made)
    assert {cell.missing for cell in Tables(made).of("mine")} == {reason}


def test_what_is_left_out_is_named_by_nothing_that_is_there(world):
    """Changes for it may stand, as in files that are laid over; what would need it may not."""
    world(table(), scorers={"fn": {"backbones": {"vgg11": {"block": "conv6"}}}})
    with pytest.raises(PenumbraError) as error:
        world(table(), recipes={"mine": {"extends": "dhm"}, "dlm-focal": {"extends": "dml-fcal"}})
    told = str(error.value)
    assert "recipes.mine.extends: this world leaves recipes.dhm out, which is null" in told
    assert "unknown recipe 'dml-fcal'" in told


def test_the_file_beside_the_last_config_counts(folder, tmp_path):
    (tmp_path / "tables").mkdir()
    file = tmp_path / "tables/uat_table01.yaml"
    file.write_text("like: uat_table04\ntitle: Other rows\n")
    (tmp_path / "mine.yaml").write_text("world: mine\n")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    made = checked(
        {**config, "world": "mine"}, folder, [folder / "config.yaml", file.parents[1] / "mine.yaml"]
    )
    assert made.table("uat_table01")["title"] == "Other rows"
    assert made.reports.file("uat_table04").parent == folder / "tables"


def test_circles_and_chains_of_likes(world, folder):
    names = [f"t{i}" for i in range(70)]
    for name, like in zip(names, [*names[1:], "uat_table01"], strict=True):
        (folder / f"tables/{name}.yaml").write_text(f"like: {like}\n")
    with pytest.raises(PenumbraError, match=r"like: a chain of more than 64; write out"):
        world({"like": "t0"}).table("mine")
    (folder / "tables/t3.yaml").write_text("like: mine\n")
    with pytest.raises(PenumbraError, match=r"t3\.yaml: like: mine is like t0 is like .* mine"):
        world({"like": "t0"}).table("mine")
    for name in names:
        (folder / f"tables/{name}.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metod": "MSP"},
            r"rows.0.reported.metod: .*unknown column 'metod'; did you mean 'method'",
        ),
        ({"method": "MPS"}, r"rows.0.reported.method: .*unknown value 'MPS'; did you mean 'MSP'"),
    ],
)
def test_what_no_paper_prints_is_not_reported(world, root, change, message):
    data = yaml.safe_load((root / "config/tables/uat_table01.yaml").read_text())
    data["rows"][0]["reported"] = change
    made = world(data, name="uat_table01")
    with pytest.raises(PenumbraError, match=rf"uat_table01\.yaml: {message}"):
        required(made)


@pytest.fixture(autouse=True)
def _restored(root, folder):
    yield
    shutil.copy(root / "config/tables/uat_table01.yaml", folder / "tables/uat_table01.yaml")


def figure(entry, **changes):
    made = {"title": "Mine", "module": "badood_gallery", "inputs": {"a": entry}, **changes}
    return {key: value for key, value in made.items() if value is not None}


MODEL = {"recipe": "standard", "backbone": "resnet18"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (figure({"kind": "models"}), "inputs.a: models need backbone, recipe; say it"),
        (figure({"kind": "scores", **MODEL}), "inputs.a: scores need scorer"),
        (
            figure({"kind": "images", "image_set": "nope"}),
            "inputs.a.image_set: digits has no 'nope'",
        ),
        (figure({"kind": "models", **MODEL, "recipe": "x"}), "inputs.a.recipe: unknown recipe 'x'"),
        (figure({"kind": "outliers", "outliers": "x"}), "inputs.a.outliers: unknown outliers 'x'"),
        (figure({"kind": "models", **MODEL}, module=None), "module: unknown figure module"),
        (figure({"kind": "models", **MODEL}, title=None), "a figure has title, too"),
        ({"title": "Mine"}, "a figure has inputs, too"),
        (figure({"kind": "images", "image_set": 77}), "a figure shows OOD image set number 77"),
        (figure({"kind": "outputs", **MODEL, "input": "map"}), "learns no universal map"),
    ],
)
def test_what_is_wrong_with_a_figure_is_told_with_its_file_and_key(world, data, message):
    with pytest.raises(PenumbraError, match=rf"tables/mine_figure\.yaml: .*{message}"):
        ask(world(data, name="mine_figure"))


def ask(made):
    required(made)
    Figures(made).files({"figure": "mine_figure"})
