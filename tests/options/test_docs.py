"""The example of docs/extending.md states what it says."""

import re

import pytest

from penumbra.options.signatures import plugin


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"k": 1, "norm": "l1", "low": 85}, []),
        ({"k": 0}, ["k"]),
        ({"norm": "l3"}, ["norm"]),
        ({"low": 90}, ["low"]),
        ({"high": 101, "k": "5"}, ["high", "k"]),
    ],
)
def test_ranges_choices_and_what_goes_together(root, tmp_path, given, keys):
    blocks = re.findall(r"```python\n(.*?)```", (root / "docs/extending.md").read_text(), re.S)
    (text,) = (block for block in blocks if "TOGETHER" in block)
    file = tmp_path / "own.py"
    file.write_text(text)
    found = plugin(file)
    problems = found.functions["score"].problems(given)
    assert [".".join(p.keys) for p in problems] == keys


def test_the_whole_scorer_is_checked_by_its_plain_annotation(root, tmp_path):
    text = (root / "docs/extending.md").read_text()
    file = tmp_path / "nearest_mean.py"
    file.write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    found = plugin(file).functions
    assert [*found["score"].options] == ["p"]
    assert found["fit"].options == {}
    for given, count in (({"p": 3}, 0), ({"p": "3"}, 1), ({"q": 3}, 1)):
        assert len([*found["score"].problems(given)]) == count
