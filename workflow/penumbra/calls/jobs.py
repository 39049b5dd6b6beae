"""The jobs behind targets, as Snakemake plans them, without a call that runs any."""

import ast
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from snakemake.api import SnakemakeApi
from snakemake.cli import parse_config, parse_size_in_bytes
from snakemake.exceptions import MissingRuleException, RuleException, WorkflowError
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

from penumbra.errors import PenumbraError
from penumbra.home import PROFILE, SNAKEFILE


class Job(NamedTuple):
    """One job: its files, relative to the folder of the results, its spec, and whether it is due.

    It is known where Snakemake has a record of its outputs, incomplete where a call was killed that
    made them.
    Of a job that is due, what Snakemake recorded when its outputs were made, and what is otherwise:
    `before` is the spec, where that was another; `added` and `dropped` are inputs that it reads now
    and did not, and the reverse; `updated` inputs whose content was another, where no job is due
    that makes inputs of this one; `command` says that its rule called its stage in other words.
    """

    rule: str
    inputs: list[str]
    outputs: list[str]
    logs: list[str]
    spec: dict[str, Any]
    before: dict[str, Any] | None
    is_due: bool
    is_known: bool
    is_incomplete: bool
    added: list[str]
    dropped: list[str]
    updated: list[str]
    command: bool


class Plan(NamedTuple):
    """The name of a world, and the jobs behind targets, in an order in which they can run."""

    world: str
    jobs: list[Job]


def plan(
    targets: Sequence[str], files: Sequence[Path], given: Sequence[str], folder: Path | None
) -> Plan:
    """What `snakemake -n` would find; results lie in `folder`, or that of this call.

    `files` are the files of config, and `given` what `--config` says.

    Raises:
        PenumbraError: there is no such target.
        SystemExit: the config is wrong, or data are missing; a message has said so.
    """
    output = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    config = ConfigSettings(config=parse_config(given), configfiles=files, config_args=given)
    with SnakemakeApi(output) as api:
        try:
            workflow = api.workflow(
                ResourceSettings(cores=1),
                config,
                snakefile=SNAKEFILE,
                workdir=folder,
            )
            kept = yaml.safe_load((PROFILE / "config.yaml").read_text(encoding="utf-8"))
            settings = DAGSettings(
                targets=frozenset(targets),
                force_incomplete=kept["rerun-incomplete"],
                max_checksum_file_size=parse_size_in_bytes(kept["max-checksum-file-size"]),
            )
            planned = workflow.dag(settings).workflow_api._workflow
            planned._prepare_dag(forceall=False, ignore_incomplete=False, lock_warn_only=True)
            planned._build_dag()
            return Plan(planned.globals["WORLD"].name, _jobs(planned))
        except MissingRuleException as error:
            raise PenumbraError(
                f"{', '.join(targets)}: the world has no such table, figure or file of results; "
                "penumbra list names the tables and figures of a world"
            ) from error
        except (WorkflowError, RuleException) as error:
            raise PenumbraError(_first_words(error)) from error


def _first_words(error: BaseException) -> str:
    """The message of the error that others, each with a trace of its own, were made of."""
    told, inner = error, error.__context__
    while inner:
        told, inner = inner if isinstance(inner, WorkflowError) else told, inner.__context__
    return str(told).strip()


def _jobs(workflow: Any) -> list[Job]:
    dag = workflow.dag
    return [
        _job(job, dag.needrun(job), dag.reason(job), workflow.persistence)
        for level in dag.toposorted()
        for job in sorted(level, key=lambda job: list(map(str, job.output)))
        if job.params.get("spec")  # not a target
    ]


def _job(job: Any, is_due: bool, reason: Any, records: Any) -> Job:
    read, reads = _read(job, records) if is_due else set(), set(map(str, job.input))
    return Job(
        rule=job.rule.name,
        inputs=[os.path.relpath(file) for file in job.input],
        outputs=[os.path.relpath(file) for file in job.output],
        logs=[os.path.relpath(file) for file in job.log],
        spec=json.loads(job.params.spec),
        before=_spec(records.params_changed(job).only_old if is_due else ()),
        is_due=is_due,
        is_known=bool(records.has_metadata(job)),
        is_incomplete=bool(reason.forced),  # nothing else is forced here
        added=sorted(reads - read) if read else [],
        dropped=sorted(read - reads),
        updated=sorted(map(str, reason.updated_input - reason.updated_input_run)),
        command=is_due and any(records.code_changed(job)),
    )


def _read(job: Any, records: Any) -> set[str]:
    """The inputs that a job's outputs were made from, where that is recorded."""
    return {str(file) for output in job.output for file in records.input(output) or ()}


def _spec(recorded: Iterable[str]) -> dict[str, Any] | None:
    """The spec among the params that Snakemake recorded, each as Python writes it."""
    for text in recorded:
        value = json.loads(ast.literal_eval(text))
        if isinstance(value, Mapping):
            return dict(value)
    return None
