"""What is told of a difference between an artifact and the job that would make it now."""

import pytest

from penumbra.audit import changes
from penumbra.store.closure import code_of

ROOTS = ["penumbra.stages.scores", "penumbra.scores.ccfn"]


@pytest.fixture
def made():
    """The provenance of an artifact that nothing has changed since, and its spec."""
    config = {"options": {"k": 50, "on": True}, "layers": [1, 2], "name": "a"}
    spec = {"rule": "scores", "roots": ROOTS[1:], "config": config, "code": "0"}
    code = dict(code_of(ROOTS))
    code |= {key: dict(code[key]) for key in ("modules", "packages")}
    copied = {"options": dict(config["options"]), "layers": [1, 2], "name": "a"}
    return {"config": copied, "code": code}, spec


def test_nothing(made):
    assert changes.of_artifact(*made) == []


def test_config(made):
    provenance, spec = made
    provenance["config"]["options"] = {"k": 50, "on": 1, "old": "x" * 99}
    provenance["config"]["layers"] = [1, 3]
    spec["config"]["new"] = None
    (told,) = changes.of_artifact(provenance, spec)
    shown = "x" * (changes.LONGEST - 1)
    assert told == (
        f"config options.on: 1 → true, options.old: {shown}… is gone, layers.1: 3 → 2, "
        "new: null is new"
    )
    provenance["config"]["name"] = "b"
    assert changes.of_artifact(provenance, spec)[0].endswith(", 1 more")


def test_code(made):
    provenance, spec = made
    modules, packages = provenance["code"]["modules"], provenance["code"]["packages"]
    modules["penumbra.scores.ccfn"] = "another"
    del modules["penumbra.evaluation.finite"]
    modules["penumbra.scores.gone"] = "0"
    now, packages["numpy"] = packages["numpy"], "1.0"
    provenance["code"]["format"] = 0
    assert changes.of_artifact(provenance, spec) == [
        "code penumbra.scores.ccfn, penumbra.scores.gone (no longer read), "
        "penumbra.evaluation.finite (now read)",
        f"packages numpy: 1.0 → {now}",
        "format of artifacts 0 → 1",
    ]


def test_specs(made):
    """Of a figure no more is known of the code than that it is another."""
    _, spec = made
    old = {**spec, "code": "1", "config": {**spec["config"], "name": "b"}}
    assert changes.of_specs(spec, spec) == []
    assert changes.of_specs(old, spec) == ["config name: b → a", "code or packages"]
