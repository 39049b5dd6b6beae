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
from penumbra.planning import starter
from penumbra.planning.calibration import Calibration
from penumbra.planning.figures import Figures
from penumbra.planning.images import Images
from penumbra.planning.models import Models
from penumbra.planning.outliers import Outliers
from penumbra.planning.paths import one_of
from penumbra.planning.readings import Readings, Shards
from penumbra.planning.resources import WARNING, Demands
from penumbra.planning.scores import Scores
from penumbra.planning.setup import hand_on_plan, require_executor, set_up, share_gpus
from penumbra.planning.targets import refuse, undeclared

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
WORLD, tables = set_up(config, BASE, workflow)


wildcard_constraints:
    image_set=one_of(WORLD.config["image_sets"]),
    benchmark=one_of(WORLD.config["benchmarks"]),
    backbone=one_of(WORLD.config["backbones"]),
    recipe=one_of(WORLD.config["recipes"]),
    scorer=one_of(WORLD.config["scorers"]),
    seed=r"\d+",
    input=r"clean|map-[^/]+",
    block=r"[^/]+(?<!\.blocks)",
    part=one_of(WORLD.config["parts"]),
    outliers=one_of(WORLD.config["outliers"]),
    shard=r"\d+of\d+",
    calibration=one_of(WORLD.config["calibrations"]),
    table=one_of(WORLD.config["tables"]),
    figure=one_of(WORLD.config["figures"]),


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
COMPUTE = WORLD.config["compute"]

# What each file of rules asks while planning, under its own name.
images, models, outliers = Images(WORLD), Models(WORLD), Outliers(WORLD)
calibration, readings, shards = Calibration(WORLD), Readings(WORLD), Shards(WORLD)
scores, figures = Scores(WORLD, readings, tables), Figures(WORLD)
demands = Demands(WORLD)


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
for target in undeclared(WORLD):

    rule:
        """Not of this world; says why."""
        name:
            target
        input:
            partial(refuse, WORLD, target),


include: "workflow/rules/images.smk"
include: "workflow/rules/outliers.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/readings.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
