"""Standard training."""

from collections.abc import Mapping
from typing import Any

from penumbra.training.method import Method, Setting


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """Every batch clean."""
    return Method(options, setting)
