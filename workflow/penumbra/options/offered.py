"""Which modules the config may name: those that do what a module of their kind does.

A backbone has `build(classes, …)`, a scorer `score()` and NEEDS, a calibration `fit()` and
`probability()`, a figure `draw(files, config)`, a published layout of images
`listed(place, split)`; methods and parts have options of their own.
"""

from collections.abc import Mapping
from typing import Any

from penumbra import plugins
from penumbra.errors import PenumbraError
from penumbra.options.signatures import Function, Plugin, plugin

PACKAGES = {
    "network": "networks.backbones",
    "scorer module": "scores",
    "calibration module": "calibration.maps",
    "figure module": "reporting.figures",
    "published layout": "images.published",
}
# Functions that a module of each kind has, with the parameters that come first.
FUNCTIONS: Mapping[str, Mapping[str, tuple[str, ...] | None]] = {
    "network": {"build": ("classes",)},
    "scorer module": {"score": None},
    "calibration module": {"fit": ("energy", "is_id"), "probability": None},
    "figure module": {"draw": ("files", "config")},
    "published layout": {"listed": ("place", "split")},
}
NAMED = {"method": "options.methods", "kind": "options.parts", "outlier kind": "options.kinds"}


def whole(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """A backbone whose `network: torchvision:resnet50` is written out: module, and its `name`."""
    given = backbone.get("network")
    if not isinstance(given, str) or ":" not in given:
        return dict(backbone)
    module, _, name = given.partition(":")
    options = backbone.get("options")
    said = {"name": name, **options} if isinstance(options, Mapping) else {"name": name}
    return {**backbone, "network": module, "options": said}


def offered(kind: str) -> list[str]:
    """The names of a kind that the config may give."""
    if kind in NAMED:
        return plugins.names(NAMED[kind])
    return [name for name in plugins.names(PACKAGES[kind]) if is_offered(kind, name)]


def is_offered(kind: str, name: object) -> bool:
    """Whether the config may give this name for a kind."""
    if not isinstance(name, str):
        return False
    if kind in NAMED:
        return name in offered(kind)
    declared = _of(kind, name)
    if declared is None:
        return False
    wanted = FUNCTIONS[kind].items()
    return all(
        name in declared.functions and first in (None, declared.functions[name].leading)
        for name, first in wanted
    )


def function(kind: str, module: str, name: str) -> Function:
    """A function of an offered module, its own or one that it imports from a sibling.

    Raises:
        PenumbraError: it has none of that name.
    """
    declared = _of(kind, module)
    if declared is not None and name in declared.functions:
        return declared.functions[name]
    package, _, sibling = (declared.imported.get(name, "") if declared else "").rpartition(".")
    if package != f"penumbra.{PACKAGES[kind]}":
        raise PenumbraError(f"{kind} {module}: it has no function {name}(); write one")
    return function(kind, sibling, name)


def _of(kind: str, name: str) -> Plugin | None:
    file = plugins.HERE.joinpath(*PACKAGES[kind].split("."), f"{name}.py")
    is_module = name.isidentifier() and name != "__init__" and file.is_file()
    return plugin(file) if is_module else None
