"""What a call that failed says last: the words of the stages that failed.

Snakemake tells an error where it happens, and much after it. Who comes back to a terminal should
read at its end what is to be mended.
"""

import atexit
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from penumbra.calls.signals import say_who_is_waited_for

BEGINNINGS = ("error: ", "Traceback (most recent call last)")
LONGEST = 60  # lines of a traceback
FULL = 2**16  # bytes left on a disk below which a log may have been cut off


class Failures(logging.Handler):
    """Notes which jobs fail, and tells their last words when the call has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[int, tuple[str, list[str]]] = {}

    def watch(self, workflow: Any) -> None:
        """Listen to Snakemake from now on."""
        self._workflow = workflow
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of Snakemake's records; all but the ends of jobs are passed over."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_ERROR:
            said: Any = record  # the fields of this event
            self._failed[said.jobid] = (said.rule_name, [str(file) for file in said.log])
            if not self._workflow.execution_settings.keep_going:
                say_who_is_waited_for(self._workflow, "a job failed", self._failed)
        elif event == LogEvent.JOB_FINISHED:  # at another attempt
            self._failed.pop(record.job_id, None)  # type: ignore[attr-defined]

    def tell_at_exit(self) -> None:
        """Print the last words after everything that Snakemake still has to say."""
        words = [(rule, logs, last_words(logs)) for rule, logs in self._failed.values()]
        # Of a group that travelled together Snakemake calls every job failed.
        spoken = [entry for entry in words if entry[2]] or words
        for rule, logs, text in spoken:
            text = text or _silence(logs)
            atexit.register(print, f"\nrule {rule} failed\n{text}", file=sys.stderr, flush=True)


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
