"""The JSON schema of config files, for an editor of YAML."""

import argparse
import json

HELP = "the JSON schema of config files, for an editor of YAML"


def add(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from penumbra.planning.schema import for_editors  # slow to import

    print(json.dumps(for_editors(), indent=2, ensure_ascii=False))
    return 0
