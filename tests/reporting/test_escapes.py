"""What a label may hold comes out as it is, in every format."""

import csv
import io
import re

import pytest

from penumbra.planning.config import load_yaml
from penumbra.reporting.tables.escapes import TEX, markdown, tex
from penumbra.reporting.tables.render import arrange, to_csv, to_html, to_latex, to_markdown

NASTY = r"$x^2$ {a} 5 ~ | \b & 3 % #1 _u_ <i>t</i> `c` [d] *e*"
BACK = {escape: character for character, escape in TEX.items()}


def cell(**change):
    whole = {
        "row": 0, "row_label": NASTY, "column": 0, "column_label": NASTY, "metric": "auroc",
        "mean": 0.5, "std": None, "equal": 0.0, "rank": None, "missing": None, "reported": None,
        "reported_std": None,
    }  # fmt: skip
    return {**whole, **change}


@pytest.fixture
def table():
    missing = cell(row=1, mean=None, equal=None, missing=NASTY)
    return arrange(NASTY, [NASTY], [cell(), missing])


def plain(text):
    """LaTeX read back: every escape becomes its character."""
    longest = sorted(BACK, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest)), lambda found: BACK[found[0]], text)


def test_latex_has_no_command_of_a_label(table):
    text = to_latex(table)
    assert tex(NASTY) in text
    assert plain(tex(NASTY)) == NASTY
    bare = re.sub("|".join(map(re.escape, sorted(BACK, key=len, reverse=True))), "", tex(NASTY))
    assert not set(bare) & set("\\{}$&#^_%~<>|[*`")
    unescaped = re.sub(r"\\[\\{}$&#%_]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert "$" not in unescaped.replace(r"$\uparrow$", "")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    # Two columns: one separator that is not escaped, or a cell over the columns after it.
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1] * 4


def test_markdown_cells_do_not_split(table):
    for line in to_markdown(table).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("f_std(x)", "f_std(x)"),
        ("_u_", r"\_u\_"),
        ("5 < 6 & 7", r"5 \< 6 & 7"),
        ("&lt;", r"\&lt;"),
        ("$x$ ~~y~~", r"\$x\$ \~\~y\~\~"),
        ("\\n [a](b) `c` **d**", r"\\n \[a\](b) \`c\` \*\*d\*\*"),
        ("# one", r"\# one"),
        ("1. two", r"1\. two"),
        ("α = 0.1, {x} 5 % #", "α = 0.1, {x} 5 % #"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_shows_text_as_it_is(text, escaped):
    assert markdown(text) == escaped


def test_html_shows_text_as_it_is(table):
    text = to_html(table)
    assert "<i>" not in text
    assert text.count("&lt;i&gt;t&lt;/i&gt;") == 7


def test_csv_reads_back(table):
    lines = (line for line in io.StringIO(to_csv(table), newline="") if not line.startswith("# "))
    header, first, second = csv.reader(lines)
    assert header[2] == f"{NASTY} AUROC ↑ mean"
    assert (first[0], second[-1]) == (NASTY, NASTY)


def test_latex_knows_every_character_of_the_tables(root):
    """Beyond Latin letters, which LaTeX sets as they are."""
    words = []
    for file in (root / "config/tables").glob("*.yaml"):
        data = load_yaml(file)
        words += [data.get("title", ""), *data.get("notes", [])]
        words += [
            part.get("label", "") for key in ("rows", "columns") for part in data.get(key, [])
        ]
    assert not {c for c in "".join(words) if not c.isascii() and c not in TEX and not c.isalpha()}
    assert not {c for c in "".join(words) if "Ͱ" <= c <= "Ͽ" and c not in TEX}
