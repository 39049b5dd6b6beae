"""How many cores a call of Snakemake may take."""

import argparse

EVERY = "all"


def number(text: str) -> str:
    """`all`, or a number from 1 on, as Snakemake is given it; with 0 it would wait for ever.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text != EVERY and not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cores; write 1 or more, or all")
    return text
