"""What a plugin's file states, read without importing it; which modules the config may name."""

import pytest

from penumbra import plugins
from penumbra.errors import PenumbraError
from penumbra.options.offered import PACKAGES, function, is_offered, offered
from penumbra.options.signatures import plugin
from penumbra.plugins import names


def read(tmp_path, text):
    file = tmp_path / "own.py"
    file.write_text(text)
    return plugin(file)


def wrong(tmp_path, text, given, name="score"):
    found = read(tmp_path, text)
    problems = found.functions[name].problems(given)
    return [".".join(p.keys) for p in problems]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("def score(arrays, p: float = 2.0): ...", [{}, {"p": 3}], [{"p": "3"}, {"q": 1}]),
        ("def score(arrays, p=2.0): ...", [{"p": "anything"}, {"p": None}], [{"q": 1}]),
        ("def score(arrays, p: np.ndarray = 2.0): ...", [{"p": "x"}], []),
        ("def score(arrays, *, p: int): ...", [{"p": 1}], [{}, {"p": 1.5}]),
        ("def score(arrays, p: 'int | None' = None): ...", [{"p": None}, {"p": 1}], [{"p": "x"}]),
        (
            "from typing import Annotated as A\n"
            "from penumbra.options.ranges import at_least as least\n"
            "K = A[int, least(1)]\n"
            "def score(arrays, k: K = 50): ...",
            [{"k": 1}],
            [{"k": 0}, {"k": True}],
        ),
        (
            "import typing\ndef score(arrays, k: typing.Literal['a', 'b'] = 'a'): ...",
            [{"k": "b"}],
            [{"k": "c"}],
        ),
        (
            "from typing import TypedDict\n"
            "from collections.abc import Mapping\n"
            "class Layer(TypedDict):\n    full: float\n"
            "def score(arrays, layers: Mapping[str, Layer] = {}): ...",
            [{"layers": {"a": {"full": 1}}}],
            [{"layers": {"a": {}}}, {"layers": {"a": {"full": "1"}}}],
        ),
        (
            "from penumbra.options.ranges import Ordered\n"
            "TOGETHER = (Ordered('low', 'high'),)\n"
            "def score(arrays, low: float = 0.0, high: float = unheard_of()): ...",
            [{"low": 5}, {"low": 1, "high": 2}],
            [{"low": 2, "high": 1}],
        ),
        (
            "from penumbra.options.ranges import Divides\n"
            "TOGETHER = (Divides('heads', 'width'),)\n"
            "def score(arrays, heads: int = 3, width: int = 48): ...",
            [{}, {"width": 9}],
            [{"heads": 7}],
        ),
    ],
)
def test_a_signature(tmp_path, text, good, bad):
    for given in good:
        assert not wrong(tmp_path, text, given), given
    for given in bad:
        assert wrong(tmp_path, text, given), given


def test_the_first_parameter_of_build_is_no_option(tmp_path):
    text = "def build(classes: int, width: int = 4): ..."
    assert wrong(tmp_path, text, {"classes": 3}, "build") == ["classes"]
    assert wrong(tmp_path, text, {"width": "4"}, "build") == ["width"]


def test_a_file_that_is_no_python(tmp_path):
    with pytest.raises(PenumbraError, match=r"own\.py: no Python"):
        read(tmp_path, "def score(")


def test_an_edited_file_is_read_anew(tmp_path):
    assert wrong(tmp_path, "def score(arrays, k: int = 1): ...", {"k": 2}) == []
    assert wrong(tmp_path, "def score(arrays, other: int = 1): ...", {"k": 2}) == ["k"]


def test_the_config_may_name_plugins_and_nothing_beside_them():
    """Every folder that holds plugins holds nothing else."""
    for kind, package in PACKAGES.items():
        assert offered(kind) == names(package)
    assert offered("network") == [
        "clip",
        "python",
        "resnet",
        "resnetv2",
        "t2t_vit",
        "timm",
        "torchvision",
        "vgg11",
        "vit",
        "wrn",
    ]
    assert offered("calibration module") == ["beta", "betacal", "isotonic", "platt", "temperature"]
    assert offered("method") == [
        *("catex", "centre", "dhm", "energy", "focal", "gan", "npos", "oe", "pgd", "pretrained"),
        *("rotloss", "simclr", "standard", "uat", "vos", "zero_shot"),
    ]
    assert offered("kind") == [
        *("autoencoder", "ddpm", "dit", "encoder", "ldm", "mage", "rdm"),
        *("stable_diffusion", "text_latent", "tokenizer"),
    ]
    for name in ("../backbones/wrn", "", "__init__", 3, None):
        assert not is_offered("network", name)


def test_methods_and_parts_are_there_to_take_their_options():
    for kind, package in (("method", "training.methods"), ("kind", "parts")):
        assert offered(kind) == names(package)


def test_a_function_may_come_from_a_sibling():
    own = function("scorer module", "mahalanobis_perturbed", "fit")
    assert own.options == function("scorer module", "mahalanobis", "fit").options


def test_a_backbone_of_ones_own(tmp_path, monkeypatch):
    """As docs/extending.md has it: a file with plain annotations."""
    (tmp_path / "networks/backbones").mkdir(parents=True)
    (tmp_path / "networks/backbones/own.py").write_text(
        "def build(classes: int, width: int = 4): ..."
    )
    (tmp_path / "networks/backbones/helper.py").write_text("def build(other: int): ...")
    monkeypatch.setattr(plugins, "HERE", tmp_path)
    assert offered("network") == ["own"]
