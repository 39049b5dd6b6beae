"""Text as Markdown and LaTeX: what either would read as a command becomes what it looks like."""

import re

# A backslash before punctuation makes it plain text. Within a word an underscore is plain anyway,
# and an ampersand is unless it could begin an entity.
MARKDOWN = re.compile(r"[\\`*|<>$~\[\]]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|^(?:[#+-]|\d+(?=[.)]))")

TEX = {
    **{"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&"},
    **{"%": r"\%", "#": r"\#", "_": r"\_", "^": r"\textasciicircum{}"},
    **{"~": r"\textasciitilde{}", "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    "`": r"\`{}",
    # After the end of a row these two would be read as its options.
    **{"[": "{[}", "*": "{*}"},
    **{"↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$", "±": r"$\pm$", "×": r"$\times$"},
    **{"≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$", "∞": r"$\infty$", "−": "$-$"},
    **{"τ": r"$\tau$", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\epsilon$"},
    **{"λ": r"$\lambda$", "σ": r"$\sigma$", "µ": r"$\mu$", "μ": r"$\mu$", "ℓ": r"$\ell$"},
    **{"–": "--", "—": "---", "…": r"\dots{}", "†": r"\dag{}", "‡": r"\ddag{}"},
}


def markdown(text: str) -> str:
    """Text for one line or table cell of Markdown; line breaks become spaces."""
    return MARKDOWN.sub(_escaped, " ".join(text.split()))


def _escaped(match: re.Match[str]) -> str:
    # At the start of a line "1." begins a list; the dot is what a backslash makes plain.
    return match[0] + "\\" if match[0].isdigit() else "\\" + match[0]


def tex(text: str) -> str:
    """Text for LaTeX, in a caption or a cell; line breaks become spaces."""
    return "".join(TEX.get(character, character) for character in " ".join(text.split()))
