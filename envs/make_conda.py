"""Write the pins of requirements.txt as a conda environment, for `snakemake --sdm conda`."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def conda_environment(requirements: str) -> str:
    """The text of penumbra.yaml."""
    pins = re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+?) *\\?$", requirements, re.MULTILINE)
    lines = ["# Written by `make pin` from requirements.txt.", "name: penumbra"]
    lines += ["channels: [conda-forge]", "dependencies:", "  - python=3.11", "  - pip", "  - pip:"]
    return "\n".join([*lines, *(f'      - "{pin}"' for pin in pins)]) + "\n"


if __name__ == "__main__":
    text = conda_environment((HERE / "requirements.txt").read_text(encoding="utf-8"))
    (HERE / "penumbra.yaml").write_text(text, encoding="utf-8")
