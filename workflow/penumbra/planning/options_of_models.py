"""Options of backbones, recipes and scorers, held against what their takers state."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.options.check import Problem, examine
from penumbra.options.head import Head
from penumbra.options.offered import function, is_offered, offered
from penumbra.options.recipe import Outliers, Recipe
from penumbra.planning import needs
from penumbra.planning.layers import Layer, Placed, entries, laid, mapping, placed, together
from penumbra.planning.needs import CHOICE, fit_options
from penumbra.plugins import load

UNTRAINED = "zero_shot"  # the method that reads its own options alone


def backbones(config: Any) -> Iterator[Placed]:
    """Networks, their arguments and heads."""
    for name, entry in entries(config, "backbones").items():
        layers: list[Layer] = [(("backbones", name), entry)]
        if "network" in entry:
            yield from placed(layers, named("network", entry["network"]), "network")
        if is_offered("network", entry.get("network")):
            build = function("network", entry["network"], "build")
            yield from placed(layers, build.problems(entry.get("options", {})), "options")
        if "head" in entry:
            yield from placed(layers, examine(Head, entry["head"]), "head")


def named(kind: str, name: Any) -> Iterator[Problem]:
    """A module that the config may not name, with those that it may."""
    if not is_offered(kind, name):
        text = str(unknown(kind, name, offered(kind), "config")).removeprefix("config: ")
        yield Problem("together", (), name, text)


def recipes(config: Any) -> Iterator[Placed]:
    """Recipes with what they extend, for any backbone and for those with settings of their own."""
    every = entries(config, "recipes")
    for name in every:
        layers = laid("recipe", "recipes", every, name)
        if layers is None:
            continue
        special = {key for _, entry in layers for key in mapping(entry, "backbones")}
        for backbone in (None, *sorted(special)):
            above: list[Layer] = [
                ((*place, "backbones", backbone), entry["backbones"][backbone])
                for place, entry in layers
                if backbone is not None
                and isinstance(mapping(entry, "backbones").get(backbone), Mapping)
            ]
            yield from _recipe(every[name], [*above, *layers])


def _recipe(raw: Mapping[str, Any], layers: list[Layer]) -> Iterator[Placed]:
    whole = together(layers)
    methods, method = offered("method"), whole.get("method")
    if not isinstance(method, str) or method not in methods:
        problem = Problem("choice", ("method",), method, "", tuple(methods))
        if "method" not in whole:
            problem = Problem("missing", ("method",), None, "no method; there is no default")
        yield from placed(layers, [problem])
        return
    own = {field.name for field in fields(Recipe)}
    valid = (*own, "method", "outliers", *methods, "extends", "backbones")
    strange = (Problem("name", (key,), None, "", valid) for key in whole if key not in valid)
    yield from placed(layers, strange)
    problems = examine(Recipe, {k: v for k, v in whole.items() if k in own}, method != UNTRAINED)
    yield from placed(layers, problems)
    if method != UNTRAINED or method in whole:
        options = load("options.methods", method).Options
        yield from placed(layers, examine(options, whole.get(method, {})), method)
    if method == "energy":
        yield from placed(layers, examine(Outliers, whole.get("outliers", {})), "outliers")
    blocks = {*methods, "outliers"} - {method} - ({"outliers"} if method == "energy" else set())
    yield from placed(
        layers,
        (
            Problem("together", (key,), None, f"method {method} reads no `{key}`; drop it")
            for key in sorted(blocks & set(raw))
        ),
    )


def scorers(config: Any) -> Iterator[Placed]:
    """Scorers, and what they have of their own for benchmarks and backbones."""
    for name, entry in entries(config, "scorers").items():
        base: Layer = (("scorers", name), entry)
        changes: list[list[Layer]] = [
            [(("scorers", name, kind, other), change)]
            for kind in ("benchmarks", "backbones")
            for other, change in entries(entry, kind).items()
        ]
        if "module" not in entry:
            continue
        yield from placed([base], named("scorer module", entry["module"]), "module")
        if is_offered("scorer module", entry["module"]):
            for above in ([], *changes):
                yield from _scorer(name, [*above, base])


def _scorer(name: str, layers: list[Layer]) -> Iterator[Placed]:
    entry = together(layers)
    module = entry["module"]
    try:
        score, fit = needs.functions(module)
    except PenumbraError as error:
        yield from placed(layers, [Problem("together", (), module, str(error))], "module")
        return
    if fit is not None and isinstance(entry.get("fit", {}), Mapping):
        problems = fit.problems(fit_options(entry))
        yield from placed(layers, _told(problems, "fit", f"scorer {name}, fit()", CHOICE), "fit")
    elif fit is None and "fit" in entry:
        text = f"scorer {name}: module {module} fits nothing; drop its `fit`"
        yield from placed(layers, [Problem("together", ("fit",), None, text)])
    problems = score.problems(entry.get("options", {}))
    yield from placed(layers, _told(problems, "option", f"scorer {name}, score()"), "options")


def _told(problems: Any, kind: str, where: str, also: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Unknown arguments in the words of their function."""
    for problem in problems:
        if problem.kind == "name" and len(problem.keys) == 1:
            text = str(unknown(kind, problem.keys[0], (*problem.valid, *also), where))
            problem = problem._replace(kind="together", text=text)
        yield problem
