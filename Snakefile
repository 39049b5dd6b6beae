"""Penumbra, called from the project's folder; the workflow itself lies in workflow/."""


include: "workflow/Snakefile"


# An included file's default target does not count.
rule all:
    """All tables; what a call without a target makes."""
    default_target: True
    input:
        rules.all_tables.input,
