"""Penumbra, called from the project's folder; the workflow itself lies in workflow/."""


include: "workflow/Snakefile"
