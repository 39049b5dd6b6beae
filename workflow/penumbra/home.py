"""Where those files of the project lie that are no modules: workflow, config, profiles.

A checkout has them at its top, a wheel inside the package, in the same order (pyproject.toml).
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "shipped"
IS_INSTALLED = SHIPPED.is_dir()  # from a wheel
HOME = SHIPPED if IS_INSTALLED else PACKAGE.parents[1]
SNAKEFILE = HOME / "workflow/Snakefile"
PROFILE = HOME / "profiles/default"  # how results are kept
FILE = "penumbra.yaml"  # the config of a folder that is a world of its own
