"""Which outliers a set has: how many, around what, under which names; and its shards."""

import pytest

from penumbra.errors import PenumbraError
from penumbra.outliers.anchors import plan, shard

LABELS = [0] * 7 + [1] * 4 + [2] * 6
ORIGINS = [f"digits/{i}" for i in range(len(LABELS))]
CLASSES = ["a", "b", "c"]
SCALES = [0.025, 0.05, 0.075]


def planned(per_class=None, cycle=False, scales=SCALES):
    return plan(LABELS, ORIGINS, CLASSES, scales, per_class, cycle)


def test_one_an_image_by_default():
    anchors = planned()
    assert sorted(a.row for a in anchors) == list(range(len(LABELS)))
    assert all(a.label == LABELS[a.row] for a in anchors)
    assert len({a.name for a in anchors}) == len(anchors)


def test_scales_share_the_anchors_of_every_class():
    for label in range(3):
        counts = [sum(a.scale == scale for a in planned() if a.label == label) for scale in SCALES]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == LABELS.count(label)


def test_more_outliers_than_anchors_are_refused_or_cycle():
    with pytest.raises(PenumbraError, match=r"class b: 6 outliers.* 4 anchors.*cycle: true"):
        planned(6)
    anchors = planned(10, cycle=True)
    assert len(anchors) == 30
    assert len({a.name for a in anchors}) == 30
    of_b = [a for a in anchors if a.label == 1]
    assert {a.use for a in of_b} == {0, 1, 2}
    assert len({a.seed(0, "embedding") for a in of_b}) == 10


def test_a_class_without_images_is_refused_even_when_cycling():
    with pytest.raises(PenumbraError, match="class d"):
        plan(LABELS, ORIGINS, [*CLASSES, "d"], SCALES, 2, True)


def test_an_outlier_has_its_seed_whatever_else_is_in_the_set():
    """The name holds class, image, scale and use; a smaller class list changes no other class."""
    whole = {a.name: a.seed(3, "embedding") for a in planned()}
    fewer = plan(LABELS[:11], ORIGINS[:11], CLASSES[:2], SCALES, None, False)
    assert all(whole[a.name] == a.seed(3, "embedding") for a in fewer)
    first = planned()[0]
    assert first.seed(3, "embedding") != first.seed(3, "image") != first.seed(4, "image")


@pytest.mark.parametrize("count", [1, 2, 5, 17])
def test_shards_are_the_set(count):
    anchors = planned()
    parts = [shard(anchors, f"{i}of{count}") for i in range(count)]
    assert [a for part in parts for a in part] == anchors
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_an_empty_shard_is_refused():
    with pytest.raises(PenumbraError, match="18 shards for 17 outliers"):
        [shard(planned(), f"{i}of18") for i in range(18)]
