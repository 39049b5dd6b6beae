"""Why a target would be computed anew: what changed since its artifacts were made.

Tells the jobs that are due for a reason of their own, and how many only follow from those.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from penumbra.commands.shared import world
from penumbra.commands.shared.world import Choice
from penumbra.errors import PenumbraError
from penumbra.store.seals import CARRIERS

if TYPE_CHECKING:
    from penumbra.calls.jobs import Job

HELP = "why a target would be computed anew"
MOST = 20  # jobs that are listed


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("target", help="a table, a figure, all_tables, all_figures, or a file")
    world.add(parser)
    parser.add_argument("--all", action="store_true", help=f"more than {MOST} jobs, too")


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    if not arguments.target:
        raise PenumbraError("an empty target; is a variable of the shell empty?")
    choice = world.choose(arguments.world, arguments.config)
    for line in explain(arguments.target, choice, arguments.all):
        print(line)
    return 0


def explain(target: str, choice: Choice, everything: bool = False) -> Iterator[str]:
    """Lines for a person: jobs with reasons of their own, then counts of all others."""
    from penumbra.calls.jobs import plan  # slow to import

    planned = plan([target], choice.files, choice.given, choice.folder)
    due = [job for job in planned.jobs if job.is_due]
    head = f"World {planned.world}, {target}: "
    if not due:
        yield head + f"nothing to do, all {len(planned.jobs)} jobs behind it are done"
    else:
        yield head + f"{len(due)} of the {len(planned.jobs)} jobs behind it would run"
    new = {file for job in due for file in job.outputs}
    reasons = [(job, own_reasons(job, choice, new)) for job in due]
    caused = [f"{job.outputs[0]}: {'; '.join(why)}" for job, why in reasons if why]
    shown = caused if everything else caused[:MOST]
    yield from shown
    if len(caused) > len(shown):
        yield f"and {len(caused) - len(shown)} more for reasons of their own (--all lists them)"
    if missing := [job for job, why in reasons if not why and not is_there(job, choice)]:
        yield f"not computed yet: {_counts(missing)}"
    if follow := [job for job, why in reasons if not why and is_there(job, choice)]:
        jobs = "1 job that reads" if len(follow) == 1 else f"{len(follow)} jobs that read"
        yield f"and {jobs} those: {_counts(follow)}"
    if unknown := [job for job in planned.jobs if not job.is_known and is_there(job, choice)]:
        yield (
            f"Of {len(unknown)} jobs the results are there, but nothing in .snakemake/ says of "
            "what they were made: edits are not seen there. Copy that folder along with results/"
        )


def is_there(job: "Job", choice: Choice) -> bool:
    """Whether all files that a job makes are there."""
    return all(choice.place(file).exists() for file in job.outputs)


def own_reasons(job: "Job", choice: Choice, new: set[str]) -> list[str]:
    """Why a job is due, but for what it reads of other jobs that are; a text for each reason.

    `new` are the files that jobs which are due make.
    """
    there = [file for file in job.outputs if choice.place(file).exists()]
    if not there:
        return []
    told = ["a call was killed while it was made"] if job.is_incomplete else []
    told += [f"{file} is missing" for file in job.outputs if file not in there]
    told += [f"input {file} is another" for file in job.updated]
    told += [f"input {file} is new" for file in job.added]
    told += [f"input {file} is no longer read" for file in job.dropped]
    told += ["its rule's shell command"] if job.command else []
    told += _since(job, there, choice)
    is_unexplained = not told and new.isdisjoint(job.inputs)
    return ["what Snakemake says (penumbra run -n)"] if is_unexplained else told


def _since(job: "Job", there: list[str], choice: Choice) -> list[str]:
    """What the provenance of a job's artifact, or Snakemake's record of it, says was otherwise."""
    from penumbra.audit import changes
    from penumbra.store.artifacts import provenance_of

    carrier = next((file for file in there if file.endswith(CARRIERS)), None)
    if carrier is None:  # a figure
        return changes.of_specs(job.before, job.spec) if job.before else []
    try:
        provenance = provenance_of(choice.place(carrier))
    except PenumbraError as error:
        return [str(error)]
    return changes.of_artifact(provenance, job.spec)


def _counts(jobs: Iterable["Job"]) -> str:
    counts = Counter(job.rule for job in jobs)
    return ", ".join(f"{count} {rule}" for rule, count in counts.items())
