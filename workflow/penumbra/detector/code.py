"""The user's own code that makes a detector's network, which its file does not carry."""

import dataclasses
from pathlib import Path

from penumbra.detector.file import Description
from penumbra.errors import PenumbraError
from penumbra.store.user_code import digest, source


def with_code(description: Description, folder: str | Path | None) -> Description:
    """The description of a detector whose network the user's own code makes, in `folder`.

    The code is run as it lies there; whether it makes the network is seen by the weights' names and
    shapes. Other detectors' descriptions stay as they are.

    Raises:
        PenumbraError: no folder is given, or it has no such module.
    """
    backbone = description.backbone
    if backbone["network"] != "python":
        return description
    module = backbone["name"].partition(":")[0]
    if folder is None:
        raise PenumbraError(
            f"its network is made by python:{backbone['name']}, code of your own that a detector's "
            f"file does not carry; name the folder of {module}.py (--code FOLDER, or code=)"
        )
    if source(Path(folder), module) is None:
        raise PenumbraError(f"{folder}: there is no module {module}, which makes the network")
    there = {"place": str(folder), "code": digest(Path(folder), module)}
    return dataclasses.replace(description, backbone={**backbone, **there})
