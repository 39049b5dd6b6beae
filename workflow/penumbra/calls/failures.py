"""What a call that failed says last: the words of the stages that failed.

Snakemake tells an error where it happens, and much after it. Who comes back to a terminal should
read at its end what is to be mended.
"""

import atexit
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from penumbra.calls.signals import say_who_is_waited_for

BEGINNINGS = ("error: ", "Traceback (most recent call last)")
LONGEST = 60  # lines of a traceback
FULL = 2**16  # bytes left on a disk below which a log may have been cut off


class Failure(NamedTuple):
    """A job that failed; those of a group travelled together, and Snakemake calls all failed."""

    rule: str
    logs: list[str]
    is_of_group: bool


class Failures(logging.Handler):
    """Notes which jobs fail, and tells their last words when the call has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[int, Failure] = {}

    def watch(self, workflow: Any) -> None:
        """Listen to Snakemake from now on."""
        self._workflow = workflow
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of Snakemake's records; all but the ends of jobs are passed over."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_ERROR:
            said: Any = record  # the fields of this event
            self._failed[said.jobid] = Failure(
                said.rule_name, list(map(str, said.log)), said.indent
            )
            if not self._goes_on(said.jobid):
                say_who_is_waited_for(self._workflow, "a job failed", self._failed)
        elif event == LogEvent.JOB_FINISHED:  # at another attempt
            self._failed.pop(record.job_id, None)  # type: ignore[attr-defined]

    def _goes_on(self, jobid: int) -> bool:
        """Whether more jobs start after this one failed: it is tried again, or the others are."""
        running = (job for job in tuple(self._workflow.scheduler.running) if job.jobid == jobid)
        is_tried_again = any(job.restart_times > job.attempt - 1 for job in running)
        return is_tried_again or self._workflow.execution_settings.keep_going

    def tell_at_exit(self) -> None:
        """Print the last words after everything that Snakemake still has to say."""
        words = [(failure, last_words(failure.logs)) for failure in self._failed.values()]
        has_spoken = any(text for _, text in words)
        for failure, text in reversed(words):  # what is registered last is called first
            if text or not (failure.is_of_group and has_spoken):
                text = f"\nrule {failure.rule} failed\n{text or _silence(failure.logs)}"
                atexit.register(print, text, file=sys.stderr, flush=True)


def last_words(logs: list[str]) -> str:
    """The error at the end of a job's log: a message or a traceback; empty where there is none."""
    for file in filter(Path.is_file, map(Path, logs)):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith(BEGINNINGS)]
        if starts:
            return "\n".join(lines[starts[-1] :][-LONGEST:])
    return ""


def _silence(logs: list[str]) -> str:
    """What to say of a job that could not say why it ended."""
    for file in map(Path, logs):
        if file.parent.is_dir() and shutil.disk_usage(file.parent).free < FULL:
            return f"error: no space is left on the disk of {file}; free some and call again"
    where = f"; its log: {', '.join(logs)}" if logs else ""
    return (
        "error: the job ended without a message, as one does that is killed (kill -9, or the "
        f"system, when memory runs out){where}"
    )
