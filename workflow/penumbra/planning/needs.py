"""What a scorer reads, as its module declares in NEEDS.

NEEDS = "outputs"                      logits and penultimate features
NEEDS = ("l2", …)                      statistics of a block's channels
NEEDS = {option: {value: ("l2", …)}}   statistics that depend on an option; the first is its default
"""

import ast
import functools
from collections.abc import Mapping
from typing import Any

from penumbra.audit.closure import PACKAGE
from penumbra.errors import PenumbraError, unknown

OUTPUTS = "outputs"
STATISTICS = {"norms": ("l2", "max"), "channels": ("l2", "max", "mean", "var", "min")}


@functools.cache
def declared(module: str) -> Any:
    """NEEDS of `penumbra.scores.<module>`, read without importing it.

    Raises:
        PenumbraError: no such module, or one without NEEDS.
    """
    file = PACKAGE / "scores" / f"{module}.py"
    if not file.is_file():
        valid = (p.stem for p in file.parent.glob("*.py") if p.stem != "__init__")
        raise unknown("scorer module", module, valid, "scorers")
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NEEDS":
            return ast.literal_eval(node.value)
    raise PenumbraError(f'{file}: a scorer declares what it reads, e.g. NEEDS = "{OUTPUTS}"')


def statistics(scorer: Mapping[str, Any]) -> tuple[str, ...]:
    """The channel statistics that a configured scorer reads; none if it reads outputs."""
    need = declared(scorer["module"])
    if isinstance(need, Mapping):
        (option, choices), *_ = need.items()
        value = scorer.get("options", {}).get(option, next(iter(choices)))
        if value not in choices:
            raise unknown(option, value, choices, f"scorer module {scorer['module']}")
        need = choices[value]
    return () if need == OUTPUTS else tuple(need)


def stage(scorer: Mapping[str, Any]) -> str:
    """The stage whose artifact a configured scorer reads: outputs, norms or channels."""
    wanted = set(statistics(scorer))
    if not wanted:
        return OUTPUTS
    return next(name for name, offered in STATISTICS.items() if wanted <= set(offered))
