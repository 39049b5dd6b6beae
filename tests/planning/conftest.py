"""The embedded world's config, and worlds made of it with changes."""

import copy

import pytest
import yaml

from penumbra.planning.config import merge
from penumbra.planning.world import World
from penumbra.planning.yaml_files import load_yaml
from tests.planning.helpers import OVERLAYS, checked, lay_data


@pytest.fixture(scope="session")
def config(root):
    return yaml.safe_load((root / "config/config.yaml").read_text())


@pytest.fixture
def world(root, config):
    def make(over=None, files=()):
        files = [root / "config/config.yaml", *files]
        return checked(merge(copy.deepcopy(config), over or {}), root / "config", files)

    return make


@pytest.fixture(scope="session")
def data(root, tmp_path_factory):
    there = tmp_path_factory.mktemp("there")
    lay_data(root / "config", there)
    return there


@pytest.fixture(scope="session")
def world_of(root, data):
    def make(name, over=None, files=()):
        config = load_yaml(root / "config/config.yaml")
        for file in OVERLAYS.get(name, []):
            config = merge(config, load_yaml(root / f"config/{file}.yaml"))
        config = merge(config, {"data_root": str(data), **(over or {})})
        return World(config, root / "config", list(files))

    return make
