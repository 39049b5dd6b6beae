"""Which images of a split are used: classes, shares, thinning and limits."""

import itertools

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.images.classes import choose, class_list, in_words, resolved, word_list
from penumbra.images.entries import NO_LABEL, Entries, Entry
from penumbra.images.subset import select
from tests.images.helpers import PETS, digits_of, read, spec, write_folder

SIZES = (40, 7, 100, 23)
CLASSES = ["n01", "n02", "n03", "n10"]


def sorted_set(sizes=SIZES, classes=CLASSES):
    """Class-sorted, as a listing of folders is."""
    rows = [
        Entry(f"{classes[label]}/{i}", label, lambda: np.zeros((3, 4, 4), np.uint8))
        for label, size in enumerate(sizes)
        for i in range(size)
    ]
    return Entries(rows, classes)


def origins(entries, **changes):
    return [row.origin for row in select(entries, spec(**changes)).rows]


def counts(names):
    return {c: sum(name.startswith(f"{c}/") for name in names) for c in CLASSES}


def test_shares_are_disjoint_complete_and_stratified():
    whole = sorted_set()
    train, held = (origins(whole, share=share) for share in ([0, 0.9], [0.9, 1]))
    assert not set(train) & set(held)
    assert sorted(train + held) == sorted(row.origin for row in whole.rows)
    # The last tenth of a class-sorted listing would be one class; this is a tenth of each.
    assert counts(held) == {"n01": 4, "n02": 1, "n03": 10, "n10": 2}
    assert train == [row.origin for row in whole.rows if row.origin in set(train)]
    # Not the last of each class either.
    assert [name for name in held if name.startswith("n03")] != [f"n03/{i}" for i in range(90, 100)]


@pytest.mark.parametrize("cuts", [[0, 0.5, 1], [0, 0.1, 0.35, 0.85, 1]])
def test_any_cuts_give_every_image_once(cuts):
    whole = sorted_set()
    parts = [origins(whole, share=list(part)) for part in itertools.pairwise(cuts)]
    assert sorted(itertools.chain(*parts)) == sorted(row.origin for row in whole.rows)


def test_share_of_a_class_depends_on_the_class_alone():
    whole = sorted_set()
    chosen = {"classes": ["n10", 0], "share": [0, 0.5]}
    some, every = origins(whole, **chosen), origins(whole, share=[0, 0.5])
    assert some == [name for name in every if name.startswith(("n01", "n10"))]
    # Keyed by data set and split, not by the image set's name.
    assert origins(whole, name="other", share=[0, 0.5]) == every
    assert origins(whole, split="test", share=[0, 0.5]) != every


def test_thinning_is_imbalanced_and_keeps_shares_apart():
    whole = sorted_set((100,) * 4)
    thinned = origins(whole, thin=90)
    left = list(counts(thinned).values())
    assert all(10 <= n <= 100 for n in left)
    assert len(set(left)) > 1
    assert thinned == origins(whole, thin=90, name="other")
    train = origins(whole, share=[0, 0.9], thin=60)
    assert not set(train) & set(origins(whole, share=[0.9, 1]))
    assert set(train) < set(origins(whole, share=[0, 0.9]))


def test_thinning_removes_uniformly_many():
    """Over many classes, U{0..N} has mean N/2 and both of its ends occur."""
    classes = [f"c{i}" for i in range(400)]
    rows = select(sorted_set((12,) * 400, classes), spec(thin=10)).rows
    removed = 12 - np.bincount([row.label for row in rows])
    assert (removed.min(), removed.max()) == (0, 10)
    assert abs(removed.mean() - 5) < 4 * np.sqrt(10 / 400)  # four standard errors, variance 10


def test_thinning_leaves_an_image_of_every_class():
    """ImageNet's classes have 732 images or more, of which the paper removes up to 1,200."""
    whole = sorted_set((3,) * 4)
    left = counts(origins(whole, share=[0, 0.7], thin=1000))
    assert len(left) == 4
    assert {*left.values()} <= {1, 2}


def test_a_class_that_becomes_empty_is_refused():
    whole = sorted_set((3,) * 4)
    with pytest.raises(PenumbraError, match=r"class 'n01' is left by share \[0.9, 1\]"):
        origins(whole, share=[0.9, 1])


@pytest.mark.parametrize("share", [[0.5, 0.5], [0.9, 0.1], [0, 1.5], [-0.1, 1]])
def test_a_share_is_a_part(share):
    with pytest.raises(PenumbraError, match=r"image_sets\.pets-train\.share: .* is no part"):
        origins(sorted_set(), share=share)


def test_limit_is_balanced_and_fixed_after_the_share():
    whole = sorted_set()
    first, second = (origins(whole, share=[0.5, 1], limit=8) for _ in range(2))
    assert first == second
    assert counts(first) == dict.fromkeys(CLASSES, 2)
    assert set(first) <= set(origins(whole, share=[0.5, 1]))
    assert digits_of("test", limit=20).labels.tolist() == sorted([*range(10)] * 2)


def test_sets_without_labels_are_cut_too():
    flat = Entries([Entry(f"{i}", NO_LABEL, lambda: np.zeros(1)) for i in range(10)], [])
    unlabelled = {"dataset": PETS | {"labelled": False}}
    low, high = (origins(flat, share=s, **unlabelled) for s in ([0, 0.3], [0.3, 1]))
    assert (len(low), len(high)) == (3, 7)
    assert len(set(low + high)) == 10


def test_count_is_of_the_split_as_published(tmp_path):
    write_folder(tmp_path / "pets" / "train", each=10)
    given = spec(count=20, share=[0, 0.9], classes=["dog"], limit=5)
    found = read(given, tmp_path)
    assert found.classes == ["dog"]
    assert found.labels.tolist() == [0] * 5
    with pytest.raises(PenumbraError, match=r"20 images in .*expected 9"):
        read(given | {"count": 9}, tmp_path)


@pytest.mark.parametrize("wanted", [[3, 1], ["n10", "n02"], ["n10", 1]])
def test_classes_by_number_or_name(wanted):
    found = choose(sorted_set(), wanted, "here")
    assert found.classes == ["n10", "n02"]
    assert {row.origin.split("/")[0]: row.label for row in found.rows} == {"n10": 0, "n02": 1}
    assert len(found) == 30


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["n01", "n0003"], "here: unknown class 'n0003'; did you mean 'n03'"),
        ([4], "here: unknown class 4; .*has 4 classes"),
        ([-1], "here: unknown class -1"),
        (["n01", 0], "here: class 'n01' is listed twice"),
    ],
)
def test_bad_class_lists(wanted, message):
    with pytest.raises(PenumbraError, match=message):
        choose(sorted_set(), wanted, "here")


def test_a_class_without_images_is_refused():
    with pytest.raises(PenumbraError, match="here: no image of class 'n02'"):
        choose(sorted_set((4, 0, 4, 4)), ["n01", "n02"], "here")


def test_error_names_the_list_that_a_class_came_from():
    message = r"image set pets-train, config/classes/mine\.txt: unknown class 'n99'"
    with pytest.raises(PenumbraError, match=message):
        origins(sorted_set(), classes=["n99"], classes_file="mine")


def test_word_lists_tell_classes_apart(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("# animals\nn01 snow owl\n\nn02  dog\n")
    assert word_list(tmp_path, "own") == (words := {"n01": "snow owl", "n02": "dog"})
    assert in_words(["n02", "n03", "n01"], words) == ["dog", "n03", "snow owl"]
    assert word_list(tmp_path, None) == {}
    for lines, message in (
        ("n01", r"own.txt: 'n01' has no words"),
        ("n01 dog\nn01 cat", "'n01' has two lines"),
        ("n01 Cardigan\nn02 cardigan", "n02 and n01 are both called 'cardigan'"),
    ):
        file.write_text(lines)
        with pytest.raises(PenumbraError, match=message):
            word_list(tmp_path, "own")
    with pytest.raises(PenumbraError, match=r"word list 'onw'.*own"):
        word_list(tmp_path, "onw")


def test_class_lists_are_read_without_comments(tmp_path):
    (tmp_path / "mine.txt").write_text("# a header\nn01 # a stingray\n\n n02\n", encoding="utf-8")
    assert class_list(tmp_path, "mine") == ["n01", "n02"]
    assert class_list(tmp_path, None) is None
    assert resolved({"classes_file": "mine"}, tmp_path)["class_list"] == ["n01", "n02"]
    assert resolved({"size": 32}, tmp_path) == {"size": 32}
    with pytest.raises(PenumbraError, match="unknown class list 'mime'; did you mean 'mine'"):
        class_list(tmp_path, "mime")


@pytest.mark.parametrize(("classes", "out"), [(7, 2), (10, 2), (101, 25), (196, 49)])
def test_classes_are_split_as_adjacent_ood_has_them(classes, out):
    names = [f"c{i}" for i in range(classes)]
    rows = [Entry(f"{name}/0", label, None) for label, name in enumerate(names)]
    inside, outside = (
        select(Entries(rows, names), spec(class_split={"side": side})) for side in ("id", "ood")
    )
    assert (len(inside.classes), len(outside.classes)) == (classes - out, out)
    assert sorted(inside.classes + outside.classes) == sorted(names)
    for found in (inside, outside):
        assert [row.label for row in found.rows] == [*range(len(found.classes))]
        assert [row.origin for row in found.rows] == [f"{name}/0" for name in found.classes]
        assert found.classes == [name for name in names if name in found.classes]


def test_the_digits_that_are_held_out_are_those_that_their_label_names():
    assert digits_of("test", class_split={"side": "ood"}).classes == ["2", "4"]


def test_a_split_of_classes_depends_on_its_draw_and_on_their_names():
    def out(classes=CLASSES, **changes):
        split = {"side": "ood", "share": 0.5, **changes}
        return set(select(sorted_set((2,) * 4, classes), spec(class_split=split)).classes)

    assert out() == out(CLASSES[::-1])  # another split of the data set may list them otherwise
    assert len({tuple(sorted(out(draw=draw))) for draw in range(20)}) == 6
    message = r"image_sets\.pets-train\.class_split: of 4 classes a share of 0\.1 holds out 0"
    with pytest.raises(PenumbraError, match=message):
        out(share=0.1)


def test_a_split_of_classes_is_of_those_that_are_kept():
    chosen = {"classes": ["n10", "n01"], "class_split": {"side": "id", "share": 0.5}}
    assert len(select(sorted_set(), spec(**chosen)).classes) == 1
