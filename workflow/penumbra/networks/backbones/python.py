"""A network of your own, as in `network: python:my_nets:build`: a function of a file of Python."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from penumbra.errors import PenumbraError
from penumbra.networks.base import Classifier
from penumbra.networks.hooked import Hooked
from penumbra.options.ranges import Count
from penumbra.store.user_code import digest, source


def build(
    classes: int,
    name: str,
    place: str = ".",
    code: str = "",
    image_size: Count = 224,
    blocks: list[str] | None = None,
    last: str | None = None,
    arguments: dict[str, Any] | None = None,
) -> Classifier:
    """What the function that `name` (module:function) names makes of the number of classes.

    It is called with it and with `arguments` by name, and gives a torch.nn.Module that takes images
    (N, 3, H, W) and gives logits (N, C). The network is looked at once with images of side
    `image_size`; `blocks` and `last` name modules by path where those found are not meant (see
    `Hooked`). A `Classifier` of this project is taken as it is. `place`, the folder of the module,
    and `code`, a digest of it, are found while planning.

    Raises:
        PenumbraError: the folder has no such module or another one than was planned with, the
            module has no such function, or what that gives is no such network.
    """
    module_name, _, function = name.partition(":")
    module = _module(module_name, Path(place), code)
    made = getattr(module, function, None)
    if not callable(made):
        raise PenumbraError(f"{module.__file__}: it has no function {function}(classes)")
    try:
        net = made(classes, **(arguments or {}))
    except (Exception, SystemExit) as error:
        told = f"{function}({classes}, …): {type(error).__name__}: {error}"
        raise PenumbraError(f"{module.__file__}: {told}") from error
    if isinstance(net, Classifier):
        return net
    if not isinstance(net, nn.Module):
        told = f"{function}() gives a {type(net).__name__}, not a torch.nn.Module"
        raise PenumbraError(f"{module.__file__}: {told}")
    return Hooked(net, classes, image_size, blocks, last)


def _module(name: str, folder: Path, code: str) -> ModuleType:
    """The module, imported from its folder, whose other files it may import."""
    file = source(folder, name)
    if file is None:
        raise PenumbraError(f"{folder}: there is no module {name}")
    if digest(folder, name) != code:
        raise PenumbraError(
            f"{file}: it, a file that it imports, or a package is another than the one planned "
            "with; call again"
        )
    sys.path.insert(0, str(folder.resolve()))
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise PenumbraError(f"{file}: {type(error).__name__}: {error}") from error
    if not Path(module.__file__ or "").samefile(file):
        raise PenumbraError(f"{file}: a module {name} is loaded from elsewhere; rename the file")
    return module
