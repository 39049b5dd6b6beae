"""The embedded world's config, and worlds made of it with changes."""

import copy

import pytest
import yaml

from penumbra.planning.config import merge
from tests.planning.helpers import checked


@pytest.fixture(scope="session")
def config(root):
    return yaml.safe_load((root / "config/config.yaml").read_text())


@pytest.fixture
def world(root, config):
    def make(over=None, files=()):
        files = [root / "config/config.yaml", *files]
        return checked(merge(copy.deepcopy(config), over or {}), root / "config", files)

    return make
