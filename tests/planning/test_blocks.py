"""Blocks that a plan knows are those of the networks when they are built."""

import pytest

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build
from penumbra.planning import scorers
from penumbra.planning.blocks import blocks

NETWORKS = [
    *(("resnet", {"layers": layers, "width": 1}) for layers in (18, 34, 50, 101)),
    *(("resnetv2", {"layers": layers, "width": 32}) for layers in (50, 101)),
    *(("wrn", options | {"widen": 1}) for options in ({}, {"depth": 10}, {"depth": 40})),
    ("vgg11", {"width": 1}),
]


@pytest.mark.parametrize(("network", "options"), NETWORKS)
def test_blocks_are_those_of_the_built_network(network, options):
    known = blocks(network, options)
    built = build({"network": network, **options}, 2)
    assert known.names == built.blocks
    assert {"middle": known.middle, "final": known.final} == dict(built.positions)


def names(**more):
    base = {"benchmark": "digits", "backbone": "resnet18", "recipe": "uat", "input": "map-uat"}
    return {**base, "scorer": "ccfn", "seed": "0", **more}


def ccfn(world, block):
    return world({"scorers": {"ccfn": {"block": block}}})


@pytest.mark.parametrize("block", ["layer1.0", "layer4.1", "last", "selected"])
def test_a_block_that_is_there_is_planned(world, block):
    scorers.check(ccfn(world, block), names())


def test_a_block_that_is_not_there_is_told_before_anything_trains(world):
    said = "scorer ccfn: .*unknown feature block 'lyer4.0'; did you mean 'layer4.0'"
    with pytest.raises(PenumbraError, match=said):
        scorers.check(ccfn(world, "lyer4.0"), names())


def test_a_map_behind_a_named_block_is_told_before_anything_trains(world):
    made = ccfn(world, "layer4.0")
    final = names(recipe="uat-final", input="map-uat-final")
    with pytest.raises(
        PenumbraError, match=r"block layer4.0: the map is added behind it, at layer4"
    ):
        scorers.check(made, final)
    scorers.check(made, {**final, "input": "clean"})
    scorers.check(made, names(recipe="uat-middle", input="map-uat-middle"))
