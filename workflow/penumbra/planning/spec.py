"""The one param of every rule: the config that it reads and the code that it runs, as JSON.

Snakemake compares params as a set of unnamed values and sees no imported module, so both lie in
one text with sorted keys.
"""

import functools
from collections.abc import Mapping
from typing import Any

from penumbra.store.artifacts import dumps
from penumbra.store.closure import code_of


def spec(rule: str, config: Any, roots: list[str], wildcards: Mapping[str, str]) -> str:
    """`roots` are the modules, beside the stage itself, that the config chooses by name."""
    return dumps(
        {
            "rule": rule,
            "wildcards": dict(wildcards.items()),
            "config": config,
            "roots": roots,
            "code": _code_digest((f"penumbra.stages.{rule}", *roots)),
        }
    )


@functools.cache
def _code_digest(roots: tuple[str, ...]) -> str:
    return str(code_of(roots)["digest"])
