"""YAML files, read strictly: names and plain values, or one line for everything that is wrong."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from penumbra.errors import PenumbraError
from penumbra.planning.yaml_nodes import (
    DEPTH,
    TAB,
    TAG,
    Place,
    Problem,
    indents_by_tab,
    problems,
)

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TYPES = {"!", *(TAG + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))}
TOLD = 30  # problems of one file; further ones are only counted


class RefusedError(Exception):
    """What is wrong with a text, by line."""

    def __init__(self, *faults: Problem):
        self.faults = faults


def load_yaml(path: Path) -> dict[str, Any]:
    """One YAML file: a mapping from names to plain values.

    Raises:
        PenumbraError: all that is wrong in it, each as `file:line: what; the mend`.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return load(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        what = f"the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        raise PenumbraError(f"{path}:{line}: {what}") from None
    except OSError as error:
        raise PenumbraError(f"{path}: it cannot be read ({error.strerror})") from None
    except RefusedError as refused:
        faults = sorted(dict.fromkeys(refused.faults))
        lines = [f"{path}:{line}: {what}" for line, what in faults[:TOLD]]
        if len(faults) > TOLD:
            lines.append(f"{path}: and {len(faults) - TOLD} more of these")
        raise PenumbraError("\n".join(lines)) from None


def load(text: str) -> dict[str, Any]:
    """The mapping that a YAML text says.

    Raises:
        RefusedError: all that is wrong in it.
    """
    tagged = _parsed(text, functools.partial(_outline, text))
    loader = LOADER(text)
    try:
        node = _parsed(text, loader.get_single_node)
        if node is None or node.tag == TAG + "null":
            raise RefusedError((1, "the file is empty; write lines of `key: value`"))
        faults = problems(node, text, tagged)
        if not isinstance(node, yaml.MappingNode):
            faults.append((1, "its top level is no mapping; write lines of `key: value`"))
        if faults:
            raise RefusedError(*faults)
        return _parsed(text, functools.partial(loader.construct_document, node))
    finally:
        loader.dispose()


def _outline(text: str) -> set[Place]:
    """Where values with a tag of their own begin, in one document that is not too deep."""
    documents, depth, tagged = 0, 0, set()
    for event in yaml.parse(text, Loader=LOADER):
        mark = event.start_mark
        assert mark is not None
        line = mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise RefusedError((line, "a second document begins; keep one, without its `---`"))
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                raise RefusedError((line, f"it is more than {DEPTH} levels deep; write it flatter"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            if tag not in TYPES:
                raise RefusedError((line, f"the tag {tag!r} has no meaning here; leave it out"))
            tagged.add((mark.line, mark.column))
    return tagged


def _parsed(text: str, step: Callable[[], Any]) -> Any:
    """What a step of reading gives; what YAML itself refuses is told by its line."""
    try:
        return step()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        row = (text.splitlines() + [""] * line)[line - 1]
        said = ", ".join(filter(None, [error.context, error.problem]))
        is_tab = indents_by_tab(row) or (mark and row[mark.column : mark.column + 1] == "\t")
        what = TAB if is_tab else f"not valid YAML: {said}"
        raise RefusedError((line, what)) from None
    except yaml.reader.ReaderError as error:
        before = text.encode("utf-8", "surrogatepass")[: max(error.position, 0)]
        what = f"not valid YAML: {error.reason}; take the character out"
        raise RefusedError((before.count(b"\n") + 1, what)) from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise RefusedError((1, f"not valid YAML: {error}")) from None
