"""The calls that docs/detector.md shows are calls."""

import re
import shlex

import pytest

from penumbra.cli import parser


def test_every_call_is_read_by_the_command(root):
    text = (root / "docs/detector.md").read_text(encoding="utf-8")
    calls = re.findall(r"^\$ penumbra (.*)$", text, re.MULTILINE)
    calls += re.findall(r"`penumbra ([a-z ]+show \S+)`", text)
    assert len(calls) == 4
    for call in calls:
        parser().parse_args(shlex.split(call))


@pytest.mark.parametrize("word", ["image,score,p_id,accept,error", "made square by grid"])
def test_what_it_shows_is_what_is_printed(root, word):
    """As the code has it."""
    from penumbra.commands.score import COLUMNS
    from penumbra.images.prepared import WAYS

    assert word in (root / "docs/detector.md").read_text(encoding="utf-8")
    assert word in (",".join(COLUMNS), *(f"made square by {way}" for way in WAYS))
