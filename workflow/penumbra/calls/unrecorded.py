"""Results of which Snakemake has no record: no edit is seen there, and the call says so."""

import logging
import sys
from typing import Any

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class Unrecorded(logging.Handler):
    """Waits until Snakemake knows the jobs of the call, whether or not any of them will run."""

    def __init__(self, workflow: Any):
        super().__init__()
        self._workflow = workflow
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of Snakemake's records: the list of jobs, or that there is nothing to do."""
        is_planned = getattr(record, "event", None) == LogEvent.RUN_INFO
        if is_planned or record.getMessage() == NOTHING_TO_BE_DONE_MSG:
            logger.removeHandler(self)
            self._tell()

    def _tell(self) -> None:
        dag, records = self._workflow.dag, self._workflow.persistence
        stay = [job for job in dag.jobs if job.params.get("spec") and not dag.needrun(job)]
        unknown = [job for job in stay if not records.has_metadata(job)]
        if unknown:
            print(
                f"warning: of {len(unknown)} of {len(stay)} results that are there, as "
                f"{unknown[0].output[0]}, nothing in .snakemake/ says of what they were made, so "
                "that edits since then are not seen; copy that folder along with results/, or "
                "compute them anew with --forcerun RULE",
                file=sys.stderr,
                flush=True,
            )
