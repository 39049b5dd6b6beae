"""A file of Python of the user's own, which makes a network: where it lies, and a digest of it."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.store import code_facts


def own_code(name: str, folders: Iterable[Path], where: str) -> dict[str, str]:
    """`file` and `code` of a network called `module:function`; the module lies in a folder.

    The digest is of what the file does, and of the files beside it that it imports.

    Raises:
        PenumbraError: the name is of another form, or no folder has the file; begins with `where`.
    """
    module, _, function = name.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), function)):
        raise PenumbraError(f"{where}: python:{name}: write python:<module>:<function>")
    places = list(dict.fromkeys(Path(os.path.relpath(folder)) for folder in folders))
    for folder in places:
        file = _source(folder, module)
        if file.is_file():
            return {"file": str(file), "code": _digest(folder, module)}
    listed = ", ".join(str(_source(folder, module)) for folder in places)
    raise PenumbraError(f"{where}: python:{name}: no such file; looked for {listed}")


def _source(folder: Path, module: str) -> Path:
    return folder.joinpath(*module.split(".")).with_suffix(".py")


def _digest(folder: Path, module: str) -> str:
    digests: dict[str, str] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        file = _source(folder, name)
        if name not in digests and file.is_file():
            facts = code_facts.of(file)
            digests[name] = facts.digest
            queue += facts.names
    text = "\n".join(f"{name} {digests[name]}" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()
