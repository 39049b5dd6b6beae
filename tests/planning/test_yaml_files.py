"""YAML as people write it: what could be read otherwise than meant is refused by file and line."""

import copy

import pytest
import yaml

from penumbra.errors import PenumbraError
from penumbra.planning.config import merge
from penumbra.planning.yaml_files import load_yaml
from tests.planning.helpers import checked


@pytest.fixture
def read(tmp_path):
    def made(text):
        file = tmp_path / "mine.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_yaml(file)

    return made


def bomb(entry):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} " + entry(i) for i in range(1, 9)]
    return "\n".join(rows)


LISTS = bomb(lambda i: "[" + ", ".join([f"*a{i - 1}"] * 10) + "]")
MAPPINGS = bomb(lambda i: "{" + ", ".join(f"k{k}: *a{i - 1}" for k in range(10)) + "}")
MERGES = bomb(lambda i: "{x: [" + ", ".join([f"*a{i - 1}"] * 10) + "]}")
CHAIN = "\n".join(["a0: &a0 [1]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 3000)])

REFUSED = {
    "duplicate": ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice, first in line 1"),
    "duplicate-quoted": ('a: 1\n"a": 3\n', 2, "stands twice"),
    "duplicate-inline": ("x: {a: 1, b: 2, a: 3}\n", 1, "stands twice"),
    "two-merges": (
        "a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n",
        4,
        "'<<' stands twice, first in line 3",
    ),
    "merged-list": ("a: &a [1]\nb: {<<: *a}\n", 1, "not valid YAML: .*mapping for merging"),
    "latin-1": ("a: 1\nb: café\n".encode("latin-1"), 2, "byte 0xe9 is not UTF-8; save"),
    "utf-16": ("a: 1\n".encode("utf-16"), 1, "not UTF-8"),
    "cycle": ("a: &a\n  b: *a\n", 1, "an alias within it leads back to it"),
    "cycle-list": ("a: 1\nb: &b [*b]\n", 2, "leads back to it"),
    "cycle-merge": ("a: &a\n  <<: *a\n", 1, "leads back to it"),
    "bomb": (LISTS, 5, "aliases within aliases"),
    "bomb-mappings": (MAPPINGS, 5, "aliases within aliases"),
    "bomb-nested": (MERGES, 5, "aliases within aliases"),
    "alias-chain": (CHAIN, 65, "64 levels"),
    "deep": ("a: " + "[" * 100_000, 1, "more than 64 levels deep"),
    "deep-mappings": ("a: " + "{x: " * 3_000, 1, "more than 64 levels deep"),
    "on": ("a: on\n", 1, 'on is read as true; write that, or "on"'),
    "Off": ("a: [1, Off]\n", 1, "Off is read as false"),
    "yes": ("a: yes\n", 1, "yes is read as true"),
    "No": ("a: No\n", 1, "No is read as false"),
    "octal": ("a: 010\n", 1, 'to base 8; write no leading zero, or "010"'),
    "leading-zero": ("a: 08\n", 1, "leading zero"),
    "sexagesimal": ("a: 1:30\n", 1, 'to base 60; write "1:30"'),
    "sexagesimal-float": ("a: 1:30.5\n", 1, "to base 60"),
    "date": ("a: 2020-01-01\n", 1, 'as a date; write "2020-01-01"'),
    "no-date": ("a: 2020-13-45\n", 1, "as a date"),
    "time": ("a: 2020-01-01T10:00:00Z\n", 1, "as a date"),
    "nan": ("a: .NaN\n", 1, "no finite number"),
    "inf": ("a: [0.1, -.inf]\n", 1, "no finite number"),
    "overflow": ("a: 1.0e+999\n", 1, "no finite number"),
    "tagged-nan": ("a: !!float nan\n", 1, "no finite number"),
    "tagged-text": ("a: !!float x\n", 1, "not valid YAML|no finite number"),
    "large": ("a: 1" + "0" * 40 + "\n", 1, "too large a number"),
    "exponent": ("a: 5e-4\n", 1, "wants 5.0e-4"),
    "name-true": ("true: 1\n", 1, 'the name true is read as a truth value.*quote it: "true"'),
    "name-no": ("a: {no: 1}\n", 1, "the name no is read as a truth value"),
    "name-number": ("a:\n  1: 1\n", 2, "the name 1 is read as a number"),
    "name-date": ("2020-01-01: 1\n", 1, "the name 2020-01-01 is read as a date"),
    "name-null": ("~: 1\n", 1, "the name ~ is read as null"),
    "name-empty": ("a: {: 1}\n", 1, "the name that is empty is read as null|not valid YAML"),
    "name-list": ("? [a]\n: 1\n", 1, "where a name is wanted"),
    "tab": ("a:\n\tb: 1\n", 2, "a tab stands where only spaces may"),
    "tab-in-text": ("a:\n  - b\n\t- c\n", 3, "a tab stands"),
    "documents": ("a: 1\n---\na: 2\n", 2, "a second document begins"),
    "empty": ("", 1, "the file is empty"),
    "comment": ("# a\n", 1, "the file is empty"),
    "null": ("---\n", 1, "the file is empty"),
    "list": ("- a\n", 1, "top level is no mapping"),
    "text": ("hello\n", 1, "top level is no mapping"),
    "tag": ("a: !!python/object:os.system x\n", 1, "tag .* has no meaning here"),
    "set": ("a: !!set {x, y}\n", 1, "tag .* has no meaning here"),
    "broken": ("a: 1\nb: [c\n", 3, "not valid YAML"),
    "alias": ("a: *b\n", 1, "undefined alias"),
    "control": ('a: b\nb: "\x07"\n', 2, "control characters are not allowed"),
    "equals": ("a: =\n", 1, "meaning of its own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_where(read, name):
    text, line, message = REFUSED[name]
    with pytest.raises(PenumbraError, match=rf"mine\.yaml:{line}: .*({message})"):
        read(text)


def test_all_of_a_file_is_told_at_once_and_much_of_it_counted(read):
    with pytest.raises(PenumbraError) as error:
        read("a: on\nb: 010\nb: .nan\n1: 2\n")
    assert [row.split(":")[1] for row in str(error.value).splitlines()] == ["1", "2", "3", "3", "4"]
    with pytest.raises(PenumbraError, match="and 970 more of these"):
        read("\n".join(f"k{i}: on" for i in range(1000)))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: &a {x: 1}\nb: {<<: *a, x: 2}\n", {"a": {"x": 1}, "b": {"x": 2}}),
        (
            "a: &a {x: 1}\nb: &b {y: 1}\nc: {<<: [*a, *b]}\n",
            {"a": {"x": 1}, "b": {"y": 1}, "c": {"x": 1, "y": 1}},
        ),
        (
            'a: "on"\nb: \'010\'\nc: "1:30"\n"1": x\n',
            {"a": "on", "b": "010", "c": "1:30", "1": "x"},
        ),
        ("a: !!str 010\n", {"a": "010"}),
        ("a: true\nb: False\nc: null\nd: ~\n", {"a": True, "b": False, "c": None, "d": None}),
        ("a: 0\nb: -1\nc: 0.5\nd: 5.0e-4\n", {"a": 0, "b": -1, "c": 0.5, "d": 5e-4}),
        ("a: nan\nnan: {module: nan}\n", {"a": "nan", "nan": {"module": "nan"}}),
        ("\ufeffa: 1\n", {"a": 1}),
        (
            'a: |\n  x\n  \ty\nb: "x\n\ty"\nc: [1,\n\t2]\n',
            {"a": "x\n\ty\n", "b": "x y", "c": [1, 2]},
        ),
        ('{\n\t"a": [1, 2],\n\t"b": {"c": null}\n}\n', {"a": [1, 2], "b": {"c": None}}),
        ("a: [n02948072, n07714990]\n", {"a": ["n02948072", "n07714990"]}),
    ],
)
def test_what_is_plainly_meant_is_read(read, text, data):
    assert read(text) == data


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(PenumbraError, match="cannot be read"):
            load_yaml(path)


def test_every_yaml_file_of_the_project_is_plain(root):
    files = sorted((root / "config").rglob("*.yaml"))
    assert len(files) > 50
    assert all(load_yaml(file) for file in files)


@pytest.fixture
def lay(root, tmp_path):
    """The embedded world with the text of a config file laid over it."""
    base = root / "config/config.yaml"
    config = yaml.safe_load(base.read_text())

    def made(*texts):
        files, over = [base], copy.deepcopy(config)
        for i, text in enumerate(texts):
            files.append(tmp_path / f"mine{i}.yaml")
            files[-1].write_text(text)
            laid = yaml.safe_load(text)
            if isinstance(laid, dict):
                over = merge(over, {k: v for k, v in laid.items() if v != {}})
        return checked(over, root / "config", files)

    return made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("world: {}\n", r"mine0\.yaml: world: \{\} changes nothing"),
        ("seeds: {}\n", r"mine0\.yaml: seeds: \{\} changes nothing"),
        ("recipes: {standard: {}}\n", r"recipes\.standard: \{\} changes nothing"),
        (
            "compute: null\n",
            r"mine0\.yaml: compute: None is not of type 'object'.*leave the key out",
        ),
        ("image_sets: {faces: }\n", r"mine0\.yaml: image_sets\.faces: None is not"),
        ("world: a\nworld: b\n", r"mine0\.yaml:2: the key 'world' stands twice"),
        ("download: off\n", r"mine0\.yaml:1: off is read as false"),
    ],
)
def test_a_config_file_is_read_again_strictly(lay, text, message):
    with pytest.raises(PenumbraError, match=message):
        lay(text)


def test_what_is_wrong_with_several_files_is_told_at_once(lay):
    with pytest.raises(PenumbraError) as error:
        lay("seeds: [010]\n", "download: yes\n")
    first, second = str(error.value).splitlines()
    assert "mine0.yaml:1: 010" in first
    assert "mine1.yaml:1: yes" in second


def test_an_empty_mapping_of_ones_own_is_no_change(lay):
    text = "backbones: {mine: {label: Mine, network: vgg11, options: {}}}\n"
    assert lay(text).config["backbones"]["mine"]["options"] == {}


def hold_itself(config):
    config["datasets"] = {"a": {}}
    config["datasets"]["a"]["b"] = config["datasets"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update({True: 1}), "the name True is no text; quote it"),
        (lambda c: c["recipes"].update({1: {}}), "recipes.1: the name 1 is no text"),
        (lambda c: c["recipes"]["standard"].update(lr=float("nan")), "recipes.standard.lr: nan is"),
        (lambda c: c["compute"].update(gflops=float("inf")), "compute.gflops: inf is no finite"),
        (lambda c: c["compute"].update(shards=10**40), "compute.shards: the number is too large"),
        (lambda c: c["compute"].update(shards=10**6), "compute.shards: 1000000 is greater than"),
        (lambda c: c.update(seeds=[1.0]), "seeds.0: 1.0 is not of type 'integer'"),
        (hold_itself, "levels deep, or holds itself"),
    ],
)
def test_what_no_file_says_is_no_less_plain(root, change, message):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    change(config)
    with pytest.raises(PenumbraError, match=message):
        checked(config, root / "config", [root / "config/config.yaml"])
