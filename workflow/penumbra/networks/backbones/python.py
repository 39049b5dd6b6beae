"""A network of your own, as in `network: python:my_nets:build`: a function of a file of Python."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from penumbra.errors import PenumbraError
from penumbra.networks.base import Classifier
from penumbra.networks.hooked import Hooked
from penumbra.options.ranges import Count


def build(
    classes: int,
    name: str,
    file: str = "",
    image_size: Count = 224,
    blocks: list[str] | None = None,
    last: str | None = None,
    arguments: dict[str, Any] | None = None,
) -> Classifier:
    """What the function that `name` (module:function) names makes of the number of classes.

    It is called with it and with `arguments` by name, and gives a torch.nn.Module that takes images
    (N, 3, H, W) and gives logits (N, C). `file`, where the module lies, is found while planning.
    The network is looked at once with images of side `image_size`; `blocks` and `last` name
    modules by path where those found are not meant (see `Hooked`). A `Classifier` of this project
    is taken as it is.

    Raises:
        PenumbraError: the file has no such function, or what it gives is no such network.
    """
    module_name, _, function = name.partition(":")
    made = getattr(_module(module_name, Path(file)), function, None)
    if not callable(made):
        raise PenumbraError(f"{file}: it has no function {function}(classes)")
    net = made(classes, **(arguments or {}))
    if isinstance(net, Classifier):
        return net
    if not isinstance(net, nn.Module):
        told = f"{function}() gives a {type(net).__name__}, not a torch.nn.Module"
        raise PenumbraError(f"{file}: {told}")
    return Hooked(net, classes, image_size, blocks, last)


def _module(name: str, file: Path) -> ModuleType:
    """The module, imported from its file; its neighbours can be imported from it."""
    folder = str(file.resolve().parents[name.count(".")])
    if folder not in sys.path:
        sys.path.append(folder)
    loaded = sys.modules.get(name)
    if loaded is not None:
        if not Path(getattr(loaded, "__file__", None) or "").samefile(file):
            raise PenumbraError(
                f"{file}: a module {name} is loaded from elsewhere; rename the file"
            )
        return loaded
    made = importlib.util.spec_from_file_location(name, file)
    if made is None or made.loader is None or not file.is_file():
        raise PenumbraError(f"{file}: no file of Python is there")
    module = importlib.util.module_from_spec(made)
    sys.modules[name] = module
    try:
        made.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PenumbraError(f"{file}: {type(error).__name__}: {error}") from error
    return module
