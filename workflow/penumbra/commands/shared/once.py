"""An option that says where images are: given twice, the first would go unread without a word."""

import argparse
from collections.abc import Sequence
from typing import Any


class Once(argparse.Action):
    """Keeps an option's value, and refuses a second one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Set the value, or end the call where there is one."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice; give it once")
        setattr(namespace, self.dest, values)
