"""Options of backbones, recipes and scorers, held against what their takers state."""

from collections.abc import Iterator, Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.options.check import Problem, Statement, examine
from penumbra.options.offered import function, is_offered, offered, whole
from penumbra.options.recipe import Outliers, Recipe
from penumbra.planning.layers import Layer, Placed, entries, laid, mapping, placed, together
from penumbra.planning.needs import functions
from penumbra.plugins import load

UNTRAINED = ("zero_shot", "pretrained")  # methods that read their own options alone
UNLABELLED = ("simclr", "rotloss")  # methods that train features and no classifier
HEADLESS = (*UNLABELLED, "catex")  # whose last layer is zero, or prompts
CONFIGS_OWN = ("method", "extends", "backbones")  # keys of a recipe that are no options


# The key of an entry that names a module of each kind.
CHOOSER = {
    "network": "network",
    "scorer module": "module",
    "calibration module": "module",
    "kind": "kind",
    "method": "method",
    "outlier kind": "kind",
}


def chosen(kind: str, entry: Mapping[str, Any], whole: bool = False) -> Iterator[Problem]:
    """What is wrong with the name of a module; `whole`: there must be one."""
    key = CHOOSER[kind]
    if key in entry and not is_offered(kind, entry[key]):
        yield Problem("choice", (key,), entry[key], "", tuple(offered(kind)))
    elif key not in entry and whole:
        yield Problem("missing", (key,), None, f"no {key}; there is no default")


def backbones(config: Any) -> Iterator[Placed]:
    """Networks and their arguments."""
    for name, entry in entries(config, "backbones").items():
        written = whole(entry)
        layers: list[Layer] = [(("backbones", name), written)]
        yield from placed(layers, chosen("network", written))
        yield from placed([(("backbones", name), entry)], _said_twice(entry))
        if is_offered("network", written.get("network")):
            build = function("network", written["network"], "build")
            yield from placed(layers, build.problems(written.get("options", {})), "options")
        if "missing" in entry and "folder" not in mapping(entry, "options"):
            told = "only weights of a `folder` in its options may be missing; drop it"
            yield from placed(layers, [Problem("together", ("missing",), None, told)])


def _said_twice(entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Options that say what `network: module:name` says, or what is found while planning."""
    said = {**dict.fromkeys(("place", "code", "normalisation"), "it is found while planning")}
    if ":" in str(entry.get("network")):
        said["name"] = "the network's name stands in `network`"
    for key in said.keys() & mapping(entry, "options").keys():
        value = entry["options"][key]
        yield Problem("together", ("options", key), value, f"{said[key]}; drop it")


def recipes(config: Any) -> Iterator[Placed]:
    """Recipes with what they extend, for any backbone and for those with settings of their own."""
    every = entries(config, "recipes")
    for name in every:
        layers = laid("recipe", "recipes", every, name)
        if layers is None:
            continue
        special = {key for _, entry in layers for key in mapping(entry, "backbones")}
        told: list[Placed] = []
        for backbone in (None, *sorted(special)):
            above: list[Layer] = [
                ((*place, "backbones", backbone), entry["backbones"][backbone])
                for place, entry in layers
                if backbone is not None
                and isinstance(mapping(entry, "backbones").get(backbone), Mapping)
            ]
            wrong = _recipe(every[name], [*above, *layers])
            new = [each for each in wrong if each not in told]
            told += new
            # Where each value stands alone is right, only the backbone tells what they meet in.
            why = f" (they meet for backbone {backbone})" if backbone else ""
            for keys, problem in new:
                more = why if problem.kind == "together" else ""
                yield keys, problem._replace(text=problem.text + more)


def _recipe(raw: Mapping[str, Any], layers: list[Layer]) -> Iterator[Placed]:
    recipe = together(layers)
    wrong = list(chosen("method", recipe, whole=True))
    yield from placed(layers, wrong)
    if wrong:
        return
    method, is_trained = str(recipe["method"]), recipe["method"] not in UNTRAINED
    blocks = {name: load("options.methods", name).Options for name in offered("method")}
    read = {method: blocks[method]} | ({"outliers": Outliers} if method == "energy" else {})
    others = dict.fromkeys((*CONFIGS_OWN, "outliers", *blocks), Statement(Any, None))
    beside = others | {key: Statement(block) for key, block in read.items()}
    given = {**{key: {} for key in read if is_trained}, **recipe}
    yield from placed(layers, examine(Recipe, given, is_trained, beside))
    if method == "pretrained" and "weights" not in mapping(recipe, "pretrained"):
        told = "no weights; there is no default: name the file by `pretrained: {weights: …}`"
        yield from placed(layers, [Problem("missing", ("pretrained",), None, told)])
    if method in HEADLESS and recipe.get("head") is not None:
        told = f"method {method} trains no last layer of classes; drop the `head`, or say null"
        about = "head" if "head" in raw else "method"  # what it extends may need its own
        yield from placed(layers, [Problem("together", (about,), recipe[about], told)])
    yield from placed(
        layers,
        (
            Problem("together", (key,), None, f"method {method} reads no `{key}`; drop it")
            for key in sorted({*blocks, "outliers"} & {*raw} - {*read})
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
        yield from placed([base], chosen("scorer module", entry))
        if is_offered("scorer module", entry.get("module")):
            for above in ([], *changes):
                yield from _scorer(name, [*above, base])


def _scorer(name: str, layers: list[Layer]) -> Iterator[Placed]:
    entry = together(layers)
    module = entry["module"]
    try:
        score, fit = functions(module)
    except PenumbraError as error:
        yield from placed(layers, [Problem("together", (), module, str(error))], "module")
        return
    if fit is not None:
        yield from placed(layers, fit.problems(entry.get("fit", {})), "fit")
    elif "fit" in entry:
        text = f"scorer {name}: module {module} fits nothing; drop its `fit`"
        yield from placed(layers, [Problem("together", ("fit",), None, text)])
    yield from placed(layers, score.problems(entry.get("options", {})), "options")
