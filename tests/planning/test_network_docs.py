"""docs/own-models.md names each network of the project with its options and their defaults."""

import re
from dataclasses import MISSING

from penumbra.options import offered

ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (.*) \|$", re.MULTILINE)
OPTION = re.compile(r"`(\w+)`(?: `?(\w+)`?)?")  # with its default, where it has one
LIBRARIES = {"torchvision", "timm", "python"}


def test_every_option_stands_there_with_its_default(root):
    _, _, text = (root / "docs/own-models.md").read_text().partition("| `network` | `options` |\n")
    rows = {network: told.split("; ") for network, told in ROW.findall(text)}
    assert rows.keys() == {*offered.offered("network")} - LIBRARIES
    for network, told in rows.items():
        options = dict(offered.function("network", network, "build").options)
        options.pop("normalisation", None)  # which the planner knows
        said = dict(OPTION.search(each).groups() for each in told)
        assert said.keys() == options.keys()
        for name, option in options.items():
            if option.default is not MISSING:
                assert said[name] == str(option.default).removesuffix(".0"), (network, name)
