"""The files that a split is cut into, `<split>-00000-of-00011.parquet` and so on."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from penumbra.errors import PenumbraError

# The number, how many there are, and the digest that older files of the Hub end with.
NUMBERED = re.compile(r"-(\d+)(?:-of-(\d+))?(?:-[0-9a-f]{8,})?")
SHOWN = 5


def of_split(files: Sequence[Path], split: str, splits: Iterable[str]) -> tuple[Path, ...]:
    """The files of `split` alone: those of `train-extra` begin with `train-` too."""
    longer = tuple(f"{name}-" for name in splits if name.startswith(f"{split}-"))
    exact = {f"{name}.parquet" for name in splits if name != split}
    return tuple(
        file for file in files if file.name not in exact and not file.name.startswith(longer)
    )


def check(files: Sequence[Path], split: str) -> None:
    """Refuse numbered files that are incomplete, and two sets of them side by side.

    Raises:
        PenumbraError: naming the files that are missing or too many.
    """
    file_matches = [NUMBERED.fullmatch(file.stem.removeprefix(split)) for file in files]
    matches = [match for match in file_matches if match]
    if not matches:  # one file, or files of other names: all of them
        return
    folder = files[0].parent
    totals = sorted({int(match[2]) for match in matches if match[2]})
    numbers = [int(match[1]) for match in matches]
    if len(totals) > 1 or len(matches) < len(files) or len(set(numbers)) < len(numbers):
        raise PenumbraError(
            f"{folder}: {', '.join(file.name for file in files[:SHOWN])}"
            f"{', …' * (len(files) > SHOWN)} are not of one set of numbered files; keep the files "
            "of one set there, then call snakemake again"
        )
    total = totals[0] if totals else max(numbers) + 1
    first = 1 if totals and 0 not in numbers and max(numbers) == total else 0
    missing = sorted(set(range(first, first + total)) - set(numbers))
    if missing and totals:
        digits = len(matches[0][1])
        names = [f"{split}-{n:0{digits}}-of-{_of(matches)}.parquet" for n in missing[:SHOWN]]
        raise PenumbraError(
            f"{folder}: {len(missing)} of {total} files are missing: {', '.join(names)}"
            f"{', …' * (len(missing) > SHOWN)}; put them there, then call snakemake again"
        )
    beyond = set(numbers) - set(range(first, first + total))
    if beyond:
        raise PenumbraError(
            f"{folder}: number {min(beyond)} is beyond the {total} files that their names state; "
            "take it away, or put the right files there"
        )


def _of(matches: Iterable[re.Match[str]]) -> str:
    return next(match[2] for match in matches if match[2])
