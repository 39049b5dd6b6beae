"""What made what, from the provenance inside artifacts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePath

from penumbra.store.artifacts import provenance_of

# Wildcards that tell artifacts of one rule apart in a figure of one model.
NAMING = ("part", "outliers", "recipe", "scorer", "calibration")


@dataclass(frozen=True)
class Node:
    """Artifacts of one rule, e.g. all shards of an outlier set, and what they were made from.

    `parents` are other nodes by role; `sources` the names of inputs that are no nodes, by the
    stage that made them. `layer` is the length of the longest way here.
    """

    role: str
    rule: str
    name: str
    parents: tuple[str, ...]
    sources: dict[str, list[str]]
    layer: int


def lineage(files: Mapping[str, Sequence[Path]]) -> list[Node]:
    """The nodes of the artifacts by their role, parents first."""
    owner = {os.path.relpath(file): role for role, paths in files.items() for file in paths}
    inputs = {
        role: sorted({name for file in paths for name in provenance_of(file)["inputs"]})
        for role, paths in files.items()
    }
    parents = {
        role: sorted({owner[name] for name in names if name in owner})
        for role, names in inputs.items()
    }
    nodes: dict[str, Node] = {}
    for role in TopologicalSorter(parents).static_order():
        layer = max((nodes[parent].layer + 1 for parent in parents[role]), default=0)
        others = [name for name in inputs[role] if name not in owner]
        nodes[role] = _node(role, files[role][0], parents[role], others, layer)
    return sorted(nodes.values(), key=lambda node: (node.layer, node.role))


def _node(role: str, file: Path, parents: list[str], others: list[str], layer: int) -> Node:
    made = provenance_of(file)
    name = "/".join(made["wildcards"][key] for key in NAMING if key in made["wildcards"])
    parts = PurePath(os.path.relpath(file)).parts
    root = PurePath(*parts[: parts.index(made["rule"])])
    sources: dict[str, list[str]] = {}
    for other in others:
        stage, source = _named(PurePath(other), root)
        sources.setdefault(stage, []).append(source)
    return Node(role, made["rule"], name, tuple(sorted(parents)), sources, layer)


def _named(path: PurePath, root: PurePath) -> tuple[str, str]:
    """Stage and name of an artifact; a file from outside the results is named by its own."""
    if not path.is_relative_to(root):
        return "file", path.name
    stage, *rest = path.relative_to(root).with_suffix("").parts
    return stage, "/".join(rest[:-1] if rest[-1] == "model" else rest)
