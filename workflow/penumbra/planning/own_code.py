"""A file of Python of the user's own, which makes a network: where it lies, and a digest of it."""

import os
from collections.abc import Iterable
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.store.user_code import digest, source


def own_code(name: str, folders: Iterable[Path], where: str) -> dict[str, str]:
    """`place` and `code` of a network called `module:function`: where it lies, and its digest.

    Raises:
        PenumbraError: the name is of another form, or no folder has the file; begins with `where`.
    """
    module, _, function = name.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), function)):
        raise PenumbraError(f"{where}: python:{name}: write python:<module>:<function>")
    places = list(dict.fromkeys(Path(os.path.relpath(folder)) for folder in folders))
    for folder in places:
        if source(folder, module):
            return {"place": str(folder), "code": digest(folder, module)}
    listed = ", ".join(str(folder) for folder in places)
    raise PenumbraError(f"{where}: python:{name}: no file of {module} in {listed}")
