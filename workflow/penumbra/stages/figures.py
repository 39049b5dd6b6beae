"""Figure: artifacts -> PNG and SVG."""

from pathlib import Path

from penumbra.plugins import load
from penumbra.reporting.drawing import save
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """Draw with the module that has the figure's name."""
    files = {role: Path(path) for role, path in job.config["inputs"].items()}
    figure = load("reporting", job.wildcards["figure"]).draw(files, job.config)
    save(figure, job.outputs["png"], job.outputs["svg"])
    job.record(job.outputs["png"])


if __name__ == "__main__":
    main(run)
