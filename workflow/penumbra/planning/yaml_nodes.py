"""What in a YAML text is written so that it could be read otherwise than it was meant."""

import math
import re
from collections.abc import Iterator

import yaml

TAG = "tag:yaml.org,2002:"
DEPTH = 64  # mappings and lists within each other, aliases followed
EXPANDED = 20_000  # values that a file may have through its aliases, beside those written
LARGEST = 2**63 - 1
TAB = "a tab stands where only spaces may; write spaces"

KINDS = {"bool": "a truth value", "int": "a number", "float": "a number", "timestamp": "a date"}
LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")

Problem = tuple[int, str]  # line from 1, and what is wrong in it
Place = tuple[int, int]  # line and column from 0


def problems(root: yaml.Node, text: str, tagged: set[Place]) -> list[Problem]:
    """All that is wrong in a tree of nodes; values at `tagged` say of what type they are."""
    check = _Check(tagged)
    check.visit(root)
    return check.problems + list(_tabs(text, check.exempt))


class _Check:
    """Looks at each node once, however often aliases name it."""

    def __init__(self, tagged: set[Place]):
        self.problems: list[Problem] = []
        self.exempt: set[int] = set()  # lines of quoted texts and of brackets
        self._tagged = tagged
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()
        self._is_bombed = False

    def visit(self, node: yaml.Node) -> tuple[int, int]:
        """How many values a node has with its aliases written out, and how many levels.

        What an alias names stands before it, so this goes no deeper than the text.
        """
        if id(node) in self._known:
            return self._known[id(node)]
        if id(node) in self._open:
            self._tell(node, "an alias within it leads back to it; write out what is meant")
            return 1, 1
        if isinstance(node, yaml.ScalarNode):
            self._scalar(node)
            return self._known.setdefault(id(node), (1, 0))
        assert isinstance(node, yaml.CollectionNode)
        if node.flow_style:
            self._spare(node)
        self._open.add(id(node))
        within = [self.visit(child) for child in self._children(node)]
        self._open.discard(id(node))
        size = 1 + sum(size for size, _ in within)
        depth = 1 + max((depth for _, depth in within), default=0)
        if not self._is_bombed and (size - len(self._known) > EXPANDED or depth > DEPTH):
            self._is_bombed = True
            much = f"more than {EXPANDED} values or {DEPTH} levels"
            self._tell(node, f"aliases within aliases make {much} of it; write out what is meant")
        return self._known.setdefault(id(node), (size, depth))

    def _children(self, node: yaml.CollectionNode) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
            return
        first: dict[tuple[str, str], int] = {}
        for name, value in node.value:
            self._name(name, first)
            yield value

    def _name(self, node: yaml.Node, first: dict[tuple[str, str], int]) -> None:
        """Refuse a key that is no text, or that stands twice in its mapping."""
        if not isinstance(node, yaml.ScalarNode):
            self._tell(node, "a mapping or list stands where a name is wanted; write a text")
            return
        kind = node.tag.removeprefix(TAG)
        if kind not in ("str", "merge"):
            what = f"the name {node.value or 'that is empty'} is read as {KINDS.get(kind, 'null')}"
            self._tell(node, f'{what}, and names are texts; quote it: "{node.value}"')
        name = (kind, node.value)
        if name in first:
            mend = "write <<: [*one, *other]" if kind == "merge" else "keep one of them"
            what = f"the key {node.value!r} stands twice, first in line {first[name]}"
            self._tell(node, f"{what}, and only one would count; {mend}")
        else:
            first[name] = _line(node)

    def _scalar(self, node: yaml.ScalarNode) -> None:
        if node.style:
            self._spare(node)
            return
        is_tagged = (node.start_mark.line, node.start_mark.column) in self._tagged
        what = _unfit(node) or (None if is_tagged else _surprise(node))
        if what:
            self._tell(node, what)

    def _spare(self, node: yaml.Node) -> None:
        self.exempt.update(range(node.start_mark.line + 1, node.end_mark.line + 1))

    def _tell(self, node: yaml.Node, what: str) -> None:
        self.problems.append((_line(node), what))


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _unfit(node: yaml.ScalarNode) -> str | None:
    """A number that nothing can be computed with."""
    digits = node.value.replace("_", "")
    is_float = node.tag == TAG + "float" and ":" not in digits
    if is_float and not _is_finite(digits.lower().replace(".nan", "nan").replace(".inf", "inf")):
        return f"{node.value} is no finite number; write one, or leave the key out"
    is_long = len(digits) > 18 and digits.lstrip("+-").isdecimal()
    if node.tag == TAG + "int" and is_long and (len(digits) > 20 or abs(int(digits)) > LARGEST):
        return f"{node.value[:24]} is too large a number; write one below 2^63"
    return None


def _is_finite(digits: str) -> bool:
    try:
        return math.isfinite(float(digits))
    except ValueError:  # text that a tag calls a number
        return False


def _surprise(node: yaml.ScalarNode) -> str | None:
    """A plain value that YAML 1.1 reads otherwise than most people would."""
    said, kind = node.value, node.tag.removeprefix(TAG)
    quoted = f'"{said}"'
    if kind == "bool" and said.lower() not in ("true", "false"):
        is_true = said.lower() in ("yes", "on")
        return f"{said} is read as {str(is_true).lower()}; write that, or {quoted} for the text"
    if kind == "timestamp":
        return f"{said} is read as a date; write {quoted} for the text"
    if kind in ("int", "float") and ":" in said:
        return f"{said} is read as a number to base 60; write {quoted} for the text"
    if kind in ("int", "str") and LEADING_ZERO.fullmatch(said):
        read = "to base 8" if kind == "int" else "as text"
        return f"{said} is read {read}; write no leading zero, or {quoted} for the text"
    if kind == "str" and EXPONENT.fullmatch(said):
        return (
            f"{said} is read as text, as YAML 1.1 wants 5.0e-4 for 5e-4; write point and sign, or "
            f"{quoted} for the text"
        )
    if kind == "value":
        return f"{said} has a meaning of its own in YAML; write {quoted}"
    return None


def _tabs(text: str, exempt: set[int]) -> Iterator[Problem]:
    """Lines that a tab indents, outside of brackets, comments and quoted texts."""
    if "\t" not in text:
        return
    for number, row in enumerate(text.splitlines()):
        if number not in exempt and indents_by_tab(row):
            yield number + 1, TAB


def indents_by_tab(row: str) -> bool:
    """Whether a tab stands before the first word of a line that is no comment."""
    words = row.lstrip(" \t")
    return "\t" in row[: len(row) - len(words)] and bool(words) and not words.startswith("#")
