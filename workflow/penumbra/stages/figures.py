"""Figure: artifacts -> PNG and SVG."""

from pathlib import Path

from penumbra.plugins import load
from penumbra.reporting.drawing import save
from penumbra.reporting.origin import origin, sign
from penumbra.stages.shared.job import Job, main


def run(job: Job) -> None:
    """Draw with the figure's module."""
    files = {role: list(map(Path, paths)) for role, paths in job.config["inputs"].items()}
    figure = load("reporting.figures", job.config["module"]).draw(files, job.config)
    sign(figure, origin(files, job.config["options"]))
    save(figure, job.outputs["png"], job.outputs["svg"])
    job.record(job.outputs["png"])


if __name__ == "__main__":
    main(run)
