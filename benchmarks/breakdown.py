"""Where the CPU seconds of a world's tables went, from the run records of its jobs.

    python benchmarks/breakdown.py [--run] [results/embedded]

With --run the embedded world is computed first, and what the jobs do not account for, Snakemake's
own work and shells, is told, too. Training is the work of the rules `models` and `parts`.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("start", "checks", "work")
TRAINING = ("models", "parts")


@dataclass(frozen=True)
class Share:
    """CPU seconds of all jobs of a rule, by part."""

    rule: str
    jobs: int
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def shares(folder: Path) -> list[Share]:
    """One a rule, the dearest first."""
    records: dict[str, list[dict]] = defaultdict(list)
    for file in folder.rglob("*.run.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        if "cpu_seconds" in record:
            records[record["rule"]].append(record["cpu_seconds"])
    found = [
        Share(rule, len(jobs), {part: sum(job[part] for job in jobs) for part in PARTS})
        for rule, jobs in records.items()
    ]
    return sorted(found, key=lambda share: -share.total)


def table(found: list[Share], whole: float | None) -> str:
    """Markdown: CPU seconds by rule and part, what is training, what Snakemake took."""
    lines = ["| rule | jobs | start | checks | work | all |", "|---|---:|---:|---:|---:|---:|"]
    for share in found:
        cells = [f"{share.seconds[part]:.1f}" for part in PARTS] + [f"{share.total:.1f}"]
        lines.append(f"| {share.rule} | {share.jobs} | {' | '.join(cells)} |")
    training = sum(share.seconds["work"] for share in found if share.rule in TRAINING)
    jobs = sum(share.total for share in found)
    by_part = {part: sum(share.seconds[part] for share in found) for part in PARTS}
    lines += [
        "",
        f"Training {training:.0f} s; other work {by_part['work'] - training:.0f} s; starts and "
        f"imports {by_part['start']:.0f} s; checks of code and inputs {by_part['checks']:.0f} s.",
    ]
    if whole is not None:
        lines.append(
            f"Snakemake, shells and what jobs are forked from {whole - jobs:.0f} s; in all "
            f"{whole:.0f} s, of them {whole - training:.0f} s not training."
        )
    return "\n".join(lines)


def compute() -> float:
    """CPU seconds of `snakemake all_tables` and of all that it started."""
    command = [str(Path(sys.executable).with_name("snakemake")), "all_tables", "--cores", "all"]
    process = os.posix_spawn(command[0], [*command, "--scheduler", "greedy"], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "results/embedded")
    parser.add_argument("--run", action="store_true", help="compute the embedded world first")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    whole = compute() if arguments.run else None
    print(table(shares(arguments.folder), whole))


if __name__ == "__main__":
    main()
