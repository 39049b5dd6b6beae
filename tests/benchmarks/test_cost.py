"""What worlds cost: every reading has an estimate, in shards as well."""

import pytest
from benchmarks import cost

from penumbra.planning import demands


@pytest.mark.parametrize("rule", ["outputs", "statistics", "scores_network"])
def test_a_shard_is_estimated_as_its_rule(rule):
    assert cost.estimate(f"{rule}_shard") == cost.estimate(rule)
    assert cost.estimate(rule) in demands.LOADS
    assert cost.estimate(f"gather_{rule}") in demands.LOADS
