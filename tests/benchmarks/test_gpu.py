"""The GPU's benchmark, rehearsed on the CPU: all units run, a call goes on where one stopped."""

import dataclasses
import json

import pytest
from benchmarks import gpu, gpu_units
from benchmarks.gpu_units import Row


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    out = tmp_path_factory.mktemp("rehearsed")
    assert gpu.main(["--rehearse", "--out", str(out), "--minutes", "100"]) == 0
    return out


def test_every_unit_runs(rehearsed):
    state = json.loads((rehearsed / "cpu.json").read_text())
    assert list(state["units"]) == list(gpu_units.UNITS)
    assert all(unit["rows"] for unit in state["units"].values())
    assert state["setting"]["torch"]
    text = (rehearsed / "cpu.md").read_text()
    assert "Failed" not in text
    assert "Not measured" not in text
    for unit in state["units"].values():
        for row in unit["rows"]:
            assert f"| {row['what']} |" in text


def test_a_call_goes_on_where_the_last_one_stopped(rehearsed, tmp_path, monkeypatch, capsys):
    calls = []
    units = {
        name: dataclasses.replace(unit, measure=lambda s, k, n=name: calls.append(n) or [])
        for name, unit in gpu_units.UNITS.items()
    }
    monkeypatch.setattr(gpu_units, "UNITS", units)
    first, second, *_ = units
    minutes = units[first].minutes + units[second].minutes / 2
    call = ["--rehearse", "--out", str(tmp_path), "--minutes", str(minutes)]
    gpu.main(call)
    assert calls == [first]
    assert "call again to go on" in capsys.readouterr().out
    gpu.main([*call[:-1], "100"])
    assert calls == list(units)


def test_a_failed_unit_is_said_and_tried_again(tmp_path, monkeypatch):
    def fails(scale, known):
        raise ValueError("out of luck")

    monkeypatch.setattr(gpu_units, "UNITS", {"rates": gpu_units.Unit(fails, 1)})
    call = ["--rehearse", "--out", str(tmp_path)]
    assert gpu.main(call) == 1
    assert "Failed: rates: `ValueError: out of luck`" in (tmp_path / "cpu.md").read_text()
    row = Row("RDM's estimate, from the CPU's", 0.5, "cosine", None, "≥ 0.99")
    monkeypatch.setattr(gpu_units, "UNITS", {"rates": gpu_units.Unit(lambda s, k: [row], 1)})
    assert gpu.main(call) == 1  # measured, and wrong
    assert "| ≥ 0.99 | no |" in (tmp_path / "cpu.md").read_text()


def test_targets():
    assert Row("", 1.0, "ms", None, "≤ 1.0").met is True
    assert Row("", 1.1, "ms", None, "≤ 1.0").met is False
    assert Row("", 1.1, "ms", None, "≥ 1.0").met is True
    assert Row("", 1.1, "ms", None, "reported").met is None
    assert not Row("", 1.1, "ms", None, "≤ 1.0").is_wrong
