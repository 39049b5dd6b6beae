"""The catalogue of data sets, read once."""

import pytest

from penumbra.planning.config import load_yaml


@pytest.fixture(scope="session")
def catalogue(root):
    return load_yaml(root / "config/datasets.yaml")
