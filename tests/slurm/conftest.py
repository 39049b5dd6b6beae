"""One cluster for all tests of this folder, which skip where Slurm is not installed."""

import pytest

from tests.slurm.cluster import INSTALL, Cluster, missing


def pytest_collection_modifyitems(items):
    """Mark what lies in this folder: the hook is handed every test there is."""
    here = [item for item in items if item.path.is_relative_to(__file__.rpartition("/")[0])]
    for item in here:
        item.add_marker(pytest.mark.slurm)
        if absent := missing():
            item.add_marker(pytest.mark.skip(f"no {', '.join(absent)}: {INSTALL}"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running cluster; a test that stops a part of it starts it again."""
    with Cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made
