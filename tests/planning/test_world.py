"""Config: unknown keys and names, data that are not there, recipes that extend each other."""

import copy

import pytest
import yaml
from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.planning import needs, targets
from penumbra.planning.cells import OPTIONAL, expand
from penumbra.planning.config import merge, resolve_recipe
from penumbra.planning.figures import Figures
from penumbra.planning.models import Models
from penumbra.planning.tables import Tables
from penumbra.planning.yaml_files import load_yaml
from tests.planning.helpers import OVERLAYS, required


def test_every_table_and_figure_of_the_world_expands(world, config):
    made = world()
    for name in config["tables"]:
        cells = Tables(made).of(name)
        assert cells
        assert all(cell.files or cell.missing for cell in cells)
        Tables(made).spec({"table": name})
    for name in config["figures"]:
        Figures(made).spec({"figure": name})


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (
            {"compute": {"treads": 2}},
            "unknown key 'compute.treads'; did you mean 'compute.threads'",
        ),
        ({"recipes": {"uat": {"uat": {"tua": 3}}}}, "unknown key 'recipes.uat.uat.tua'"),
        ({"seeds": []}, "seeds: .*non-empty"),
        ({"recipes": {"standard": {"lr": "5e-4"}}}, "'5e-4' is not of type .*wants 5.0e-4"),
        ({"recipes": {"new": {"extends": "standart"}}}, "unknown recipe 'standart'; .*'standard'"),
        ({"recipes": {"standard": {"extends": "uat"}}}, "extends"),
        ({"roles": {"main": "digit"}}, "unknown benchmark 'digit'; did you mean 'digits'"),
        (
            {"image_sets": {"digits-test": {"dataset": "digitz"}}},
            "unknown data set 'digitz'; .*'digits'",
        ),
        ({"recipes": {"standard": {"backbones": {"resnet": {}}}}}, "unknown backbone 'resnet'"),
    ],
)
def test_unknown_keys_and_names_give_the_nearest_valid_one(world, over, message):
    with pytest.raises(PenumbraError, match=message.replace("[", r"\[")):
        world(over)


def test_all_that_is_wrong_is_told_at_once_with_its_file(world, tmp_path):
    mine = tmp_path / "mine.yaml"
    over = {
        "compute": {"treads": 2, "gpus": -1},
        "seeds": [],
        "image_sets": {"letters": {"limit": 0}},
    }
    mine.write_text(yaml.safe_dump(over))
    with pytest.raises(PenumbraError) as error:
        world(over, [mine])
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{mine}: ") for line in lines)
    for key in ("compute.treads", "compute.gpus", "seeds", "image_sets.letters.limit"):
        assert sum(key in line.split(";")[0] for line in lines) == 1


def test_what_an_own_data_set_lacks_is_told_at_once_with_its_file(world, tmp_path):
    mine = tmp_path / "mine.yaml"
    over = {"datasets": {"mine": {"title": "Mine", "reader": "stored"}}}
    mine.write_text(yaml.safe_dump(over))
    with pytest.raises(PenumbraError) as error:
        world(over, [mine])
    *lines, _ = str(error.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{mine}: mine: ") and "is a required" in line for line in lines)


@pytest.mark.parametrize(("about", "lacking"), [({}, 2), ({"path": "mine"}, 0)])
def test_only_a_data_set_with_a_path_of_its_own_states_no_licence(world, about, lacking):
    mine = {"title": "Mine", "reader": "stored", "labelled": False, "size": 32}
    over = {"datasets": {"mine": {**mine, "splits": {"test": about}}}}
    try:
        world(over)
        lines = []
    except PenumbraError as error:
        *lines, _ = str(error).splitlines()
    assert len(lines) == lacking
    assert all("is a required property. A published data set states" in line for line in lines)


def test_a_file_that_changes_another_says_that_this_one_is_missing(root, world):
    file = root / "config/cifar-cpu.yaml"
    told = r"(?s)cifar-cpu.*'train' is a required.*\nSay what is required; .*name that file"
    with pytest.raises(PenumbraError, match=told):
        world(load_yaml(file), [file])


def test_an_unknown_data_set_says_how_one_is_added(world):
    with pytest.raises(PenumbraError, match=r"'shapes'.*your own is an entry of `datasets` in"):
        world({"image_sets": {"digits-test": {"dataset": "shapes"}}})


@pytest.mark.parametrize("text", ["true", "false"])
def test_truth_from_the_command_line_is_none_of_yamls_texts(world, text):
    """Snakemake hands on `--config download=true` as a text."""
    assert world({"download": text}).config["download"] is (text == "true")
    with pytest.raises(PenumbraError, match="download: 'yes' is not of type 'boolean'"):
        world({"download": "yes"})


def test_tables_that_a_world_does_not_have_say_why(world):
    made = world({"tables": ["uat_table01"]})
    names = targets.undeclared(made)
    assert {"uat_table02", "uat_table07", "uat_variants"} <= set(names)
    assert "uat_table01" not in names
    with pytest.raises(WorkflowError, match="not among the tables of the world embedded: add it"):
        targets.refuse(made, "uat_table02", None)
    del made.reports.files["uat_table07"]  # as if its file were taken away
    assert "uat_table07" in targets.undeclared(made)
    with pytest.raises(WorkflowError, match="nothing says yet how it is computed: write tables/u"):
        targets.refuse(made, "uat_table07", None)


def test_all_data_that_are_missing_are_told_at_once(world):
    over = {
        "data_root": "nowhere",
        "image_sets": {
            "textures": {"dataset": "textures"},
            "faces": {"dataset": "isun"},
        },
    }
    with pytest.raises(PenumbraError) as error:
        required(world(over))
    assert "data set textures (" in str(error.value)
    assert "data set isun (" in str(error.value)


NAMED = ("image_sets", "benchmarks", "backbones", "recipes", "scorers", "parts", "outliers")


@pytest.mark.parametrize("kind", [*NAMED, "calibrations", "filters"])
@pytest.mark.parametrize("name", ["a; touch pwned", "it's", "../up", "{recipe}", "a b", "-rf"])
def test_names_that_become_paths_and_commands_are_refused(world, kind, name):
    with pytest.raises(PenumbraError, match=f"{kind}.*is no name: .* lower-case letters"):
        world({kind: {name: {}}})


def test_the_file_that_holds_an_unknown_key_is_named(world, tmp_path):
    over = {"compute": {"treads": 2}}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(over))
    with pytest.raises(PenumbraError, match=r"mine\.yaml: unknown key"):
        world(over, [file])
    with pytest.raises(PenumbraError, match="command line"):
        world(over)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "standrad"}, "unknown recipe 'standrad'; did you mean 'standard'"),
        ({"scorer": "mps"}, "unknown scorer 'mps'; did you mean 'msp'"),
        ({"backbone": "resnet81"}, "unknown backbone 'resnet81'; did you mean 'resnet18'"),
        ({"input": "map"}, "recipe standard learns no universal map"),
    ],
)
def test_names_in_a_table_are_checked_with_its_file(world, monkeypatch, change, message):
    made = world()
    table = copy.deepcopy(made.table("uat_table01"))
    table["rows"][0] |= change
    monkeypatch.setattr(made.reports, "laid", lambda name: table)
    with pytest.raises(PenumbraError, match=f"uat_table01.yaml: .*{message}"):
        Tables(made).of("uat_table01")


def test_a_table_is_not_called_as_a_rule(world, tmp_path):
    """A table is a target of its own name; a file called otherwise makes no rule, and no table."""
    assert not targets.unfit("uat_table01")
    for name in ("scores", "outputs_shard", "all_tables", "gather_scores", "ä b", "Mine", "a/b"):
        assert targets.unfit(name), name
    made = world({"tables": ["uat_table01"]})
    made.config["tables"].append("metrics")
    with pytest.raises(PenumbraError, match="tables: metrics is the name of a rule; call its file"):
        required(made)


def test_a_role_that_a_world_has_not_is_no_other_worlds(world):
    """A larger world says null for what it has not, and does not take over the embedded digits."""
    made = world({"roles": {"large": None}, "tables": ["uat_table01", "uat_table03"]})
    with pytest.raises(PenumbraError, match=r"roles\.large: no benchmark of the world embedded"):
        required(made)


def test_accuracy_is_of_clean_images(world):
    files = {
        file
        for cell in Tables(world()).of("uat_table06")
        if cell.metric == "test_accuracy"
        for file in cell.files
    }
    assert files
    assert all(file.endswith("/clean.parquet") for file in files)


def test_unknown_table_is_named(world):
    with pytest.raises(PenumbraError, match="unknown table or figure 'uat_table1'; did you mean"):
        world().table("uat_table1")


def stored(name="svhn"):
    return {"image_sets": {"textures": {"dataset": name, "split": "test"}}}


def test_missing_data_set_says_what_is_expected_where_and_how_to_get_it(world, tmp_path):
    with pytest.raises(PenumbraError, match="is missing") as raised:
        required(world(stored() | {"data_root": str(tmp_path)}))
    message = str(raised.value)
    for part in ("test_32x32.mat", "svhn/test", "svhn/test.parquet", "Stanford", "download=true"):
        assert part in message
    with pytest.raises(PenumbraError, match="--config data_root=DIR"):
        required(world(stored()))


def test_missing_ood_set_may_be_left_out_and_is_said(world, config, tmp_path):
    omit = {"benchmarks": {name: {"missing": "omit"} for name in config["benchmarks"]}}
    made = world(stored() | omit | {"data_root": str(tmp_path)})
    required(made)
    assert "textures" not in made.all_ood("digits")
    labels = {cell.column_label for cell in Tables(made).of("uat_table01")}
    assert "Textures" not in labels
    assert "Faces" in labels
    assert made.absent("digits", ["far"]) == ["Textures"]
    assert made.absent("digits", ["near"]) == []


def test_recipe_takes_what_it_extends_and_its_backbones_changes(config):
    recipes = merge(config["recipes"], {"standard": {"backbones": {"vgg11": {"lr": 0.7}}}})
    plain, vgg = (resolve_recipe(recipes, "uat-tau3", b) for b in ("resnet18", "vgg11"))
    assert plain["lr"] == 0.05
    assert vgg["lr"] == 0.7
    assert plain["options"]["tau"] == 3
    assert plain["options"]["alpha"] == 0.1
    assert "extends" not in plain


def test_needs_of_scorers(config):
    def stage(name):
        return needs.source(needs.needs(config["scorers"][name]))

    assert stage("msp") == "outputs"
    assert stage("fn") == "statistics"
    assert needs.needs(config["scorers"]["ccfn"]) == ("l2", "max")
    assert stage("ccfn-mean") == "statistics"
    assert stage("odin") == "network"


def test_spec_of_a_model_leaves_out_what_training_does_not_read(world):
    names = {"benchmark": "digits", "backbone": "resnet18", "recipe": "uat", "seed": "0"}
    plain = Models(world()).spec(names)
    same = world(
        {"scorers": {"msp": {"options": {}}}, "recipes": {"uat-tau3": {"uat": {"tau": 4}}}}
    )
    assert Models(same).spec(names) == plain
    changed = world({"recipes": {"standard": {"lr": 0.1}}})
    assert Models(changed).spec(names) != plain
    # Values that change places are seen, because names are part of the text.
    swapped = world({"recipes": {"standard": {"lr": 0.001, "weight_decay": 0.05}}})
    assert Models(swapped).spec(names) != plain


def test_every_config_file_is_a_world_of_the_tests(root):
    files = {path.stem for path in (root / "config").glob("*.yaml")} - {
        "config",
        "datasets",
        "own",
        "weights",
    }
    assert files == {name for names in OVERLAYS.values() for name in names}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_shipped_world_is_sound(world, root, name):
    """Its keys and names are known, its tables and figures expand; what it lacks is its data."""
    over: dict = {}
    for file in OVERLAYS[name]:
        over = merge(over, yaml.safe_load((root / f"config/{file}.yaml").read_text()))
    made = world(over)
    assert made.name == name
    for table in made.config["tables"]:
        rows = {cell.row for cell in Tables(made).of(table)}
        assert rows <= set(range(len(made.table(table)["rows"])))
    for figure in made.config["figures"]:
        assert isinstance(made.table(figure)["inputs"], dict)
    if made.root is None:
        required(made)
        return
    with pytest.raises(PenumbraError, match="is missing"):
        required(made)


@pytest.mark.parametrize("metric", ["heldout_accuracy", "shifted_matched_accuracy"])
def test_an_accuracy_of_images_that_a_benchmark_has_not_is_no_cell(world, metric):
    table = {"name": "made", "backbone": "resnet18", "columns": [{"metrics": [metric]}]}
    table |= {"rows": [{"label": "MSP", "recipe": "standard", "scorer": "msp"}]}
    role = metric.split("_")[0]
    made = world()
    made.config["benchmarks"]["digits"].pop(role, None)
    (cell,) = expand(table, made)
    assert (cell.files, cell.missing) == ((), f"its benchmark has no {OPTIONAL[role]} images")


def test_a_column_is_called_after_the_backbone_of_its_rows(world):
    table = {"name": "made", "columns": [{"label": "{backbone}", "metrics": ["test_accuracy"]}]}
    table |= {"rows": [{"label": "A", "recipe": "standard", "backbone": "wrn"}]}
    made = world()
    assert expand(table, made)[0].column_label == made.config["backbones"]["wrn"]["label"]


def test_a_column_may_choose_the_scorer_and_accuracies_are_of_clean_images(world):
    columns = [
        {"group": "far", "label": "FN", "with": {"scorer": "fn"}, "metrics": ["fpr95"]},
        {"metrics": ["heldout_accuracy"]},
    ]
    rows = [{"label": "UAT", "recipe": "uat", "input": "map", "scorer": "msp"}]
    table = {"name": "made", "backbone": "resnet18", "columns": columns, "rows": rows}
    scored, heldout = expand(table, world())
    assert scored.scorer == "fn"
    assert all(file.endswith("/map-uat.parquet") for file in scored.files)
    assert all("/accuracy/" in file and "/clean" in file for file in heldout.files)
    assert scored.files
    assert heldout.files
