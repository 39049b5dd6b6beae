"""A call of Snakemake on this project's workflow, as commands make it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.store.closure import PACKAGE

SNAKEFILE = PACKAGE.parents[1] / "Snakefile"
STDERR = 2
OWN_CONFIG = "penumbra.yaml"  # of a folder that is a world of its own


def config_files(world: Sequence[Path]) -> list[Path]:
    """The config files of a world: those named, or that of the folder that is.

    Raises:
        PenumbraError: one is not there.
    """
    files = [file / OWN_CONFIG if file.is_dir() else file for file in world]
    for file in files:
        if not file.is_file():
            raise PenumbraError(f"{file}: there is no such config file")
    return files


def call(
    targets: Sequence[str],
    folder: Path,
    world: Sequence[Path] = (),
    config: Sequence[str] = (),
    cores: str = "all",
) -> None:
    """Make files below `folder`, in the world of some config files; Snakemake's words go to stderr.

    `config` are settings KEY=VALUE, as those of `snakemake --config`.

    Raises:
        PenumbraError: a config file or the workflow is not there, or the call failed.
    """
    if not SNAKEFILE.is_file():
        raise PenumbraError(f"{SNAKEFILE}: the workflow is not there; call this from a checkout")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    command += ["--directory", str(folder), "--cores", cores]
    if files := config_files(world):
        command += ["--configfile", *(str(file.resolve()) for file in files)]
    if config:
        command += ["--config", *config]
    done = subprocess.run([*command, "--", *targets], stdout=STDERR, check=False)
    if done.returncode:
        raise PenumbraError(
            f"Snakemake ended with status {done.returncode}; what it said stands above"
        )
