"""Tables and figures that a world does not have: asked for by name, they say why."""

import re
from collections.abc import Iterable, Mapping

from snakemake.exceptions import WorkflowError

from penumbra import plugins
from penumbra.planning.world import World

NAME = re.compile(r"[a-z][a-z0-9_-]*")
RULES = ("all_", "gather_")  # how the names of rules without a stage begin
# How many tables and figures the papers have.
PAPERS = {"uat_table": 23, "uat_figure": 5, "badood_table": 11, "badood_figure": 11}


def unfit(name: str) -> str:
    """Why a table or figure can't be called so, as its name is that of a target; or nothing."""
    stages = plugins.names("stages")
    if name in stages or name.removesuffix("_shard") in stages or name.startswith(RULES):
        return "is the name of a rule"
    return "" if NAME.fullmatch(name) else "is no name of lower-case letters, digits, _ and -"


def known(files: Iterable[str]) -> set[str]:
    """Names of tables and figures that targets may have: of these files, and of the papers."""
    of_papers = {f"{kind}{i:02}" for kind, count in PAPERS.items() for i in range(1, count + 1)}
    return of_papers | {name for name in files if not unfit(name)}


def undeclared(world: World) -> list[str]:
    """Tables and figures that the papers or files have, and this world has not."""
    declared = {*world.config["tables"], *world.config["figures"]}
    return sorted(known(world.reports.files) - declared)


def refuse(world: World, name: str, names: Mapping[str, str]) -> list[str]:
    """The inputs of a table or figure that is not of this world: none.

    Raises:
        WorkflowError: why, and what to do.
    """
    kind = "figures" if "figure" in name else "tables"
    if name in world.reports.files:
        raise WorkflowError(
            f"{name} is not among the {kind} of the world {world.name}: add it to `{kind}` in your "
            f"config file. It has: {', '.join(world.config[kind])}"
        )
    raise WorkflowError(
        f"{name} stands in the paper, but nothing says yet how it is computed: write "
        f"tables/{name}.yaml beside your config file (docs/extending.md), and add it to `{kind}`"
    )
