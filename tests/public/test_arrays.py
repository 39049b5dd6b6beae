"""Scores of given arrays: which scorers they suffice for, and what is refused."""

import numpy as np
import pytest

import penumbra
from penumbra.errors import PenumbraError
from penumbra.scores import knn, msp

CLASSES, WIDTH = 3, 8


def outputs(random, weight, count, spread=1.0):
    labels = random.integers(0, CLASSES, count)
    features = np.maximum(weight[labels] + random.normal(0, spread, (count, WIDTH)), 0.01)
    return {"features": features, "logits": features @ weight.T + 0.5, "labels": labels}


@pytest.fixture
def given():
    random = np.random.default_rng(0)
    weight = random.normal(0, 2, (CLASSES, WIDTH))
    return {
        "train": outputs(random, weight, 120),
        "test": outputs(random, weight, 40),
        "ood": {"noise": outputs(random, weight, 30, 5.0)},
        "head": {"weight": weight, "bias": np.full(CLASSES, 0.5)},
        "heldout": outputs(random, weight, 60),
    }


def test_all_that_suffices_is_scored_and_all_else_told(given):
    found = penumbra.score_arrays(**given)
    listed = penumbra.scorers()
    of_arrays = {*listed.index[listed["source"] == "outputs"]} - {"catex"}
    assert {*found.scores} == of_arrays
    assert {*found.left_out} == {*listed.index} - of_arrays
    assert found.left_out["catex"].startswith("no text and no ood_text")
    assert found.left_out["odin"] == "it reads the network itself"
    assert found.left_out["ccfn"] == "it reads statistics of a block's feature map"
    for sets in found.scores.values():
        assert {name: s.shape for name, s in sets.items()} == {"test": (40,), "noise": (30,)}
        assert all(s.dtype == np.float64 and np.isfinite(s).all() for s in sets.values())


def test_scores_are_those_of_the_scorers_modules(given):
    found = penumbra.score_arrays(**given).scores
    small = {k: given["test"][k].astype(np.float32) for k in ("logits", "features")}
    np.testing.assert_array_equal(found["msp"]["test"], msp.score(small))
    fitted = knn.fit({"features": given["train"]["features"].astype(np.float32)})
    np.testing.assert_array_equal(found["knn"]["test"], knn.score({**small, **fitted}))


@pytest.mark.parametrize(
    ("removed", "scorer", "reason"),
    [
        (("head",), "react", r"it needs the last layer's weight and bias \(head\)"),
        (("heldout",), "temperature", r"it is fitted on held-out images, and none are given"),
        (("train",), "knn", r"it is fitted on training images, and none are given"),
        (("train", "labels"), "rmds", r"it needs labels of train"),
        (("test", "features"), "nan", r"it needs features of test"),
        (("ood", "noise", "logits"), "vim", r"it needs logits of noise"),
    ],
)
def test_what_is_lacking_is_told_and_refused_where_asked_for(given, removed, scorer, reason):
    *way, last = removed
    place = given
    for key in way:
        place = place[key]
    del place[last]
    given.setdefault("train", None)
    found = penumbra.score_arrays(**given)
    assert scorer not in found.scores
    with pytest.raises(PenumbraError, match=rf"^scorer {scorer}: {reason}$"):
        penumbra.score_arrays(**given, scorers=[scorer])


def test_scorers_are_given_as_in_a_config(given):
    own = {
        "near": {"module": "knn", "options": {"k": 1}, "fit": {"images": 30}},
        "knn": {},
        "few": {"module": "knn", "options": {"k": 31}, "fit": {"images": 30}},
    }
    with pytest.raises(PenumbraError, match=r"scorer few: k = 31 is not between 1 and the 30"):
        penumbra.score_arrays(**given, scorers=own)
    del own["few"]
    found = penumbra.score_arrays(**given, scorers=own)
    assert [*found.scores] == ["near", "knn"]
    assert (found.scores["near"]["test"] > found.scores["knn"]["test"]).all()
    assert not found.left_out


def test_a_scorer_that_cannot_be_fitted_to_these_images_is_left_out_unless_asked_for(given):
    given["train"] = {key: array[:20] for key, array in given["train"].items()}
    assert penumbra.score_arrays(**given).left_out["knn"].startswith("k = 50 is not between")
    with pytest.raises(PenumbraError, match="scorer knn: k = 50 is not between"):
        penumbra.score_arrays(**given, scorers="knn")


@pytest.mark.parametrize(
    ("scorers", "message"),
    [
        (["mps"], r"scorers: unknown scorer 'mps'; did you mean 'msp'\?"),
        ({"a": {"module": "knn", "option": {}}}, r"scorer a: unknown key 'option'; did you mean"),
        ({"a": {"module": "knn", "options": {"k": 0}}}, r"scorer a, options: k is 0, not at least"),
        ({"knn": {"options": {"n": 5}}}, r"scorer knn, options: unknown option 'n'"),
        ({"dice": {"fit": {"percentile": 101}}}, r"scorer dice, fit: percentile is 101, not in"),
        ({"msp": None}, r"scorer msp: None is no mapping; write {}"),
        ({"knn": {"fit": {"role": "test"}}}, r"scorer knn, fit: unknown role 'test'.*train"),
        ({"knn": {"fit": {"images": 0}}}, r"scorer knn, fit: images is 0, not at least 1"),
        ({"knn": {"fit": None}}, r"scorer knn, fit: .*not of type mapping"),
        ({"knn": {"options": {"k": np.float64(2.5)}}}, r"k is 2\.5, not of type 'integer'"),
        (5, r"scorers: 5; give a list of names, or a mapping of entries"),
        ([5], r"scorers: 5 is no name; give texts"),
        ({"msp": {"fit": {}}}, r"scorer msp: it is fitted on nothing"),
    ],
)
def test_scorers_that_nothing_answers_to_are_refused(given, scorers, message):
    with pytest.raises(PenumbraError, match=message):
        penumbra.score_arrays(**given, scorers=scorers)


def test_numbers_of_numpys_are_numbers(given):
    own = {
        "knn": {"options": {"k": np.int64(5)}},
        "scale": {"options": {"percentile": np.float32(50)}},
    }
    plain = {"knn": {"options": {"k": 5}}, "scale": {"options": {"percentile": 50.0}}}
    made, wanted = (penumbra.score_arrays(**given, scorers=s).scores for s in (own, plain))
    for name, sets in wanted.items():
        np.testing.assert_array_equal(made[name]["test"], sets["test"])


def cut(array):
    return array[:, :-1]


def with_nan(array):
    array = array.copy()
    array[3, 1] = np.nan
    return array


@pytest.mark.parametrize(
    ("place", "key", "change", "message"),
    [
        ("test", "logits", lambda a: a[:-1], r"test: logits of 39, features of 40 images; row i"),
        ("train", "labels", lambda a: a[:-1], r"train: .*labels of 119 images"),
        (
            "train",
            "labels",
            lambda a: a.astype(float),
            r"labels of train: of dtype float64; give i",
        ),
        ("train", "labels", lambda a: a[:, None], r"labels of train: of shape \(120, 1\)"),
        ("train", "labels", lambda a: a + 1, r"labels of train: 3 at image \d+; labels are 0 to 2"),
        ("train", "labels", lambda a: a - 1, r"labels of train: -1 at image \d+"),
        ("heldout", "labels", lambda a: a + 9, r"labels of heldout: \d+ at image 0"),
        (
            "test",
            "logits",
            cut,
            r"numbers of classes differ: train has 3, heldout has 3, test has 2",
        ),
        ("test", "features", cut, r"numbers of features differ: .*test has 7, .*weight has 8"),
        ("test", "logits", with_nan, r"logits of test: 1 of 120 numbers are NaN.* first in row 3"),
        ("test", "features", lambda a: a * 1e40, r"features of test: .* beyond float32"),
        ("test", "logits", lambda a: a[:, 0], r"logits of test: of shape \(40,\); give one row"),
        ("test", "logits", lambda a: a[:0], r"logits of test: of shape \(0, 3\)"),
        ("test", "logits", lambda a: a.astype(str), r"logits of test: of dtype <U32; give real"),
        ("test", "logits", lambda a: a.astype(object), r"logits of test: of dtype object"),
        ("test", "logits", lambda a: [[1.0], [1.0, 2.0]], r"logits of test: of dtype object"),
        ("head", "weight", lambda a: a.T, r"head: bias \(3,\) does not belong to weight \(8, 3\)"),
        ("head", "weight", lambda a: a[::-1], r"head: weight · features \+ bias lies \d+% away"),
        ("head", "bias", lambda a: a[:2], r"head: bias \(2,\) does not belong to weight \(3, 8\)"),
        ("head", "bias", lambda a: a * np.nan, r"bias of head: 3 of 3 numbers are NaN"),
    ],
)
def test_arrays_that_cannot_be_right_are_refused(given, place, key, change, message):
    given[place][key] = change(given[place][key])
    with pytest.raises(PenumbraError, match=message):
        penumbra.score_arrays(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": {"logit": [[1.0]], "name": "a"}}, r"test: holds neither .*it holds logit, name"),
        ({"test": {}}, r"test: holds neither logits nor features; it holds nothing"),
        ({"ood": {}}, r"ood: name one set of OOD images or more"),
        ({"ood": {"test": {"logits": [[1.0]]}}}, r"ood: .* none of them 'test'"),
        (
            {"ood": {1: {"logits": [[1.0]]}, "1": {"logits": [[1.0]]}}},
            r"ood: two image sets are called '1'",
        ),
        (
            {"train": {"logits": [[1.0]], "label": [0], "labels": [0]}},
            r"train: holds label and labels, two names of one array; leave one out",
        ),
        (
            {"test": {"logits": np.ma.masked_less([[1.0, -9.0]], 0)}},
            r"logits of test: 1 of 2 entries are masked",
        ),
        ({"train": np.ones((3, 2))}, r"train: is of type ndarray; give a mapping with logits"),
        ({"test": None}, r"test: is of type NoneType; give a mapping with logits"),
        ({"ood": np.ones((3, 2))}, r"ood: is of type ndarray; give a mapping of image sets by"),
        ({"ood": [{}]}, r"ood: is of type list; give a mapping of image sets by name"),
        ({"ood": {"a": [[1.0]]}}, r"a: is of type list; give a mapping with logits"),
        ({"head": [[0.0]]}, r"head: is of type list; give a mapping with weight"),
        ({"head": {"bias": [0.0]}}, r"head: holds no weight; give weight \(C, D\)"),
        ({"head": {"weights": [[0.0]]}}, r"head: unknown array 'weights'; did you mean 'weight'"),
    ],
)
def test_sets_without_what_makes_them_are_refused(given, change, message):
    with pytest.raises(PenumbraError, match=message):
        penumbra.score_arrays(**(given | change))


def test_a_last_layer_without_bias_has_zeros_as_in_the_workflow(given):
    for each in (given["train"], given["test"], given["heldout"], given["ood"]["noise"]):
        each["logits"] = each["logits"] - 0.5
    without = penumbra.score_arrays(**given | {"head": {"weight": given["head"]["weight"]}})
    zeros = penumbra.score_arrays(**given | {"head": given["head"] | {"bias": np.zeros(CLASSES)}})
    np.testing.assert_array_equal(without.scores["vim"]["test"], zeros.scores["vim"]["test"])


def test_labels_of_ood_images_have_a_meaning_of_their_own(given):
    given["ood"]["noise"]["labels"] = ["cat"] * 30
    assert "msp" in penumbra.score_arrays(**given).scores


def test_probabilities_are_no_logits(given):
    odds = np.exp(given["test"]["logits"])
    given["test"]["logits"] = (odds / odds.sum(1, keepdims=True)).astype(np.float16)
    with pytest.raises(PenumbraError, match=r"logits of test: are probabilities"):
        penumbra.score_arrays(**given)
    given["test"]["logits"] = np.log(odds / odds.sum(1, keepdims=True)).astype(np.float16)
    with pytest.raises(PenumbraError, match=r"logits of test: are log-probabilities"):
        penumbra.score_arrays(**given)


@pytest.mark.parametrize("role", ["train", "heldout"])
def test_a_test_on_the_images_of_a_fit_is_refused(given, role):
    given[role] = {key: np.asfortranarray(array) for key, array in given["test"].items()}
    told = rf"{role} and test hold the same features and logits"
    with pytest.raises(PenumbraError, match=told):
        penumbra.score_arrays(**given)


def test_ood_images_that_are_the_test_images_score_alike(given):
    given["ood"] = {"noise": given["test"]}
    scores = penumbra.score_arrays(**given).scores["msp"]
    np.testing.assert_array_equal(scores["noise"], scores["test"])
