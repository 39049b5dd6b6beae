"""Worlds as a call makes them: read, checked, and held against what is there."""

from penumbra.planning.checks import check
from penumbra.planning.requirements import require
from penumbra.planning.tables import Tables
from penumbra.planning.world import World


def checked(config, folder, files):
    made = World(config, folder, files)
    check(made)
    return made


def required(world):
    require(world, Tables(world))
