"""The schema of a config: its own structure, and what is stated where options are taken.

The structure, config/schemas/config.schema.yaml, refers to options by two words. `x-options` stands
for the keys of a class, or the values of a type, in `penumbra.options`; `x-taken` for what modules
of a kind take, one of which an entry names.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from penumbra import plugins
from penumbra.home import HOME
from penumbra.options.check import stated
from penumbra.options.json_schema import Schema, of_hint, of_statements, paragraph
from penumbra.options.offered import function, offered
from penumbra.options.signatures import Function
from penumbra.planning.answers import rules
from penumbra.planning.config import LEAVABLE
from penumbra.planning.needs import functions
from penumbra.planning.options_of_models import CHOOSER
from penumbra.planning.options_of_synthesis import calibration, decoding_of
from penumbra.planning.yaml_files import load_yaml

FOLDER = HOME / "config"
BESIDE = ("method", "outlier kind")  # whose options stand among an entry's own keys


def for_editors() -> Schema:
    """The JSON schema of a file of config.

    Nothing is required, as a file says only what differs from those that it is laid over.
    """
    schema = _filled(structure(FOLDER, "config"), _taken)
    properties = schema["properties"]
    properties["datasets"] |= structure(FOLDER, "datasets")
    properties["compute"]["properties"]["demands"]["propertyNames"] |= {"enum": rules()}
    for kind in LEAVABLE:
        entry = properties[kind]["additionalProperties"]
        either = {"type": ["object", "null"], "if": {"type": "object"}, "then": entry}
        properties[kind]["additionalProperties"] = either
    return _optional(schema)


def structure(folder: Path, name: str) -> Schema:
    """A schema of config/schemas as it stands there."""
    return load_yaml(folder / "schemas" / f"{name}.schema.yaml")


def with_options(schema: Schema) -> Schema:
    """A schema with the keys of options; of modules, with those that stand among an entry's own."""
    return _filled(schema, lambda kind: _taken(kind) if kind in BESIDE else {})


def _filled(node: Any, taken: Callable[[str], Schema]) -> Any:
    if isinstance(node, list):
        return [_filled(each, taken) for each in node]
    if not isinstance(node, Mapping):
        return node
    own = {k: _filled(v, taken) for k, v in node.items() if k not in ("x-options", "x-taken")}
    if "x-options" in node:
        module, _, name = node["x-options"].rpartition(".")
        own = _over(of_hint(getattr(plugins.load("options", module), name)), own)
    return _over(taken(node["x-taken"]), own) if "x-taken" in node else own


def _over(below: Schema, above: Schema) -> Schema:
    """One schema laid on another, the properties of both in it."""
    properties = {
        name: below.get("properties", {}).get(name, {}) | above.get("properties", {}).get(name, {})
        for name in (*below.get("properties", {}), *above.get("properties", {}))
    }
    return below | above | ({"properties": properties} if properties else {})


def _optional(node: Any) -> Any:
    """A schema without what it requires, but in a condition."""
    if isinstance(node, list):
        return [_optional(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {k: v if k == "if" else _optional(v) for k, v in node.items() if k != "required"}


def _taken(kind: str) -> Schema:
    """The names of a kind's modules, and what each takes."""
    if kind == "decoding":
        kinds = (plugins.load("options.kinds", name) for name in offered("outlier kind"))
        own = (getattr(kind, "Decoding", None) for kind in kinds)
        classes = filter(None, [*map(decoding_of, offered("kind")), *own])
        return {"anyOf": [of_hint(each) for each in classes]}
    key, modules = CHOOSER[kind], offered(kind)
    named: Schema = {key: {"enum": modules}}
    if kind == "network":  # one of a library or a file is called module:name
        named = {key: {"anyOf": [named[key], {"pattern": f"^({'|'.join(modules)}):."}]}}
    if kind == "method":  # whose options stand under the method's own name
        options = {module: plugins.load("options.methods", module).Options for module in modules}
        return {"properties": {m: of_hint(c) for m, c in options.items() if stated(c)} | named}
    if kind == "outlier kind":
        return {"properties": _of_kinds(modules) | named, "additionalProperties": False}
    conditions = [
        {
            "if": {"properties": {key: {"pattern": f"^{module}(:|$)"}}, "required": [key]},
            "then": {"properties": TAKEN[kind](module)},
        }
        for module in modules
    ]
    return {"properties": named, "allOf": conditions}


def _of_network(module: str) -> Schema:
    return {"options": _arguments(function("network", module, "build"))}


def _of_scorer(module: str) -> Schema:
    score, fit = functions(module)
    own = {"options": _arguments(score), "fit": {"enum": []}}
    if fit is not None:
        own["fit"] = _arguments(fit)
    changes = {"additionalProperties": {"properties": own}}
    return {**own, "benchmarks": changes, "backbones": changes}


def _of_calibration(module: str) -> Schema:
    fit, beside = calibration(module)
    return {**of_statements(beside)["properties"], "options": _arguments(fit)}


def _of_part(kind: str) -> Schema:
    module = plugins.load("options.parts", kind)
    objective = getattr(module, "Objective", None)
    training: Schema = {"type": "null"}
    if objective:
        trained = {"$ref": "#/$defs/part-training"}
        training = {
            "anyOf": [{"type": "null"}, trained],
            "properties": {"objective": of_hint(objective)},
        }
    if hasattr(module, "Training"):
        training = {"anyOf": [{"type": "null"}, of_hint(module.Training)]}
    return {"options": of_hint(module.Options), "training": training}


def _of_kinds(modules: Iterable[str]) -> Schema:
    """The options of all kinds of outlier set, each as the kinds state it that have it."""
    schemas: dict[str, list[Schema]] = {}
    for module in modules:
        options = of_hint(plugins.load("options.kinds", module).Options)["properties"]
        for key, schema in options.items():
            if schema not in schemas.setdefault(key, []):
                schemas[key].append(schema)
    return {
        key: each[0] if len(each) == 1 else {"anyOf": each, "description": f"{key} of its kind."}
        for key, each in schemas.items()
    }


TAKEN: Mapping[str, Callable[[str], Schema]] = {
    "network": _of_network,
    "scorer module": _of_scorer,
    "calibration module": _of_calibration,
    "kind": _of_part,
}


def _arguments(taken: Function) -> Schema:
    """What a function takes, described by the first paragraph of its docstring."""
    schema = of_statements(taken.options) | {"description": paragraph(taken.about)}
    if taken.takes_any:
        del schema["additionalProperties"]
    return schema
