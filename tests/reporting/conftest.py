"""What tests of tables and figures share."""

import pytest

from penumbra.cli import main


@pytest.fixture
def shown(capsys):
    """`penumbra show` with arguments: what it prints, or its error where `status` is not 0."""

    def call(*arguments, status=0):
        assert main(["show", *map(str, arguments)]) == status
        streams = capsys.readouterr()
        return streams.err if status else streams.out

    return call
