"""Penumbra: two papers on out-of-distribution detection, from images to tables and figures."""

import sys
from functools import partial
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# The folder of this file, wherever it is called from, and also where it is used as a module.
BASE = Path(str(workflow.current_basedir))


configfile: str(BASE / "config/config.yaml")


sys.path.insert(0, str(BASE / "workflow"))
from penumbra.calls.failures import Failures
from penumbra.calls.records import begin
from penumbra.calls.signals import attend
from penumbra.planning import (
    report_specs,
    resources,
    rules as of,
    score_specs,
    scorers,
    sharding,
    specs,
    starter,
    synthesis,
    synthesis_specs,
)
from penumbra.planning.setup import hand_on_plan, require_executor, set_up, share_gpus

# What Snakemake itself begins a job's shell with, so that a job fails where its stage does: a
# prefix of one's own replaces it. A job that is ended gets SIGTERM or SIGINT, and so do all
# processes in it: shell and log outlive the stage, which saves what it has.
STRICT = "set -euo pipefail; trap : TERM INT;"
KEEP = "keep() {{ trap '' TERM INT; exec tee \"$1\"; }};"
shell.prefix(" ".join([STRICT, KEEP, starter.PREFIX]))


# A job on a cluster reads this file, too, and is no call of its own.
if not workflow.remote_exec:
    CALL, FAILURES = begin(), Failures()

# The world: config, checked, with the tables that it asks for. Data that are not there end the
# call here, before any job starts.
WORLD = set_up(config, BASE, workflow)


wildcard_constraints:
    image_set=of.one_of(WORLD.config["image_sets"]),
    benchmark=of.one_of(WORLD.config["benchmarks"]),
    backbone=of.one_of(WORLD.config["backbones"]),
    recipe=of.one_of(WORLD.config["recipes"]),
    scorer=of.one_of(WORLD.config["scorers"]),
    seed=r"\d+",
    input=r"clean|map-[^/]+",
    block=r"[^/]+(?<!\.blocks)",
    part=of.one_of(WORLD.config["parts"]),
    outliers=of.one_of(WORLD.config["outliers"]),
    shard=r"\d+of\d+",
    calibration=of.one_of(WORLD.config["calibrations"]),
    table=of.one_of(WORLD.config["tables"]),
    figure=of.one_of(WORLD.config["figures"]),


onstart:
    require_executor(workflow)
    share_gpus(workflow)
    hand_on_plan(BASE, WORLD, workflow)
    CALL.note(executor=workflow.executor_plugin.name)
    attend(workflow, starter.start(workflow, BASE, CALL))
    # Its timers multiply with every job, until they wake the scheduler a thousand times a second
    # (pull request 3744 of Snakemake). Local jobs need no limit of their rate.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    FAILURES.watch(workflow)


onerror:
    FAILURES.tell_at_exit()


# Paths below results/<world> and logs/<world>.
results, logs = WORLD.results, WORLD.logs


# What a user names: all tables (also without a name), all figures, one table, one figure.
rule all_tables:
    """All tables of the world; also what a call without a target makes."""
    default_target: True
    input:
        [results(f"tables/{table}.parquet") for table in WORLD.config["tables"]],


rule all_figures:
    """All figures of the world."""
    input:
        [results(f"figures/{figure}.png") for figure in WORLD.config["figures"]],


for folder, names, suffix in (
    ("tables", WORLD.config["tables"], "parquet"),
    ("figures", WORLD.config["figures"], "png"),
):
    for target in names:

        rule:
            """One table or figure, and what it needs."""
            name:
                target
            input:
                results(f"{folder}/{target}.{suffix}"),


# Called by name, what this world does not have says so.
for target in of.undeclared(WORLD):

    rule:
        """Not of this world; says why."""
        name:
            target
        input:
            partial(of.refuse, WORLD, target),


include: "workflow/rules/images.smk"
include: "workflow/rules/outliers.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/readings.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
