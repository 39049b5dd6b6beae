"""What became different between an artifact and the job that would make it now."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from penumbra.store.artifacts import dumps
from penumbra.store.closure import code_of

LONGEST = 60  # characters of a value that are told
MOST = 4  # keys or modules that are told
NONE = object()


def of_artifact(provenance: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """Config, code and packages of a spec against those inside an artifact; a text for each kind.

    Empty where the artifact is what the spec would make of the same inputs.
    """
    old, new = provenance["code"], _code((f"penumbra.stages.{spec['rule']}", *spec["roots"]))
    told = _of_config(provenance["config"], spec["config"])
    if modules := [_module(*change) for change in differences(old["modules"], new["modules"])]:
        told.append("code " + _few(modules))
    if packages := [_told(*change) for change in differences(old["packages"], new["packages"])]:
        told.append("packages " + _few(packages))
    if old["format"] != new["format"]:
        told.append(f"format of artifacts {old['format']} → {new['format']}")
    return told


def of_specs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same of two specs, which hold no more of the code than one digest."""
    told = _of_config(old["config"], new["config"])
    if old["code"] != new["code"]:
        told.append("code or packages")
    return told


def _of_config(old: Any, new: Any) -> list[str]:
    changed = [_told(*change) for change in differences(old, new)]
    return ["config " + _few(changed)] if changed else []


def differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Keys, dots between them, under which two values of JSON differ; NONE where one has none."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = (dict(enumerate(each)) for each in (old, new))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            inner = f"{key}.{name}" if key else str(name)
            yield from differences(old.get(name, NONE), new.get(name, NONE), inner)
    elif _json(old) != _json(new):
        yield key, old, new


def _json(value: Any) -> str | None:
    """A value's JSON, which keeps 1, 1.0 and true apart; None where there is no value."""
    return None if value is NONE else dumps(value)


def _told(key: str, old: Any, new: Any) -> str:
    if old is NONE:
        return f"{key}: {_short(new)} is new"
    if new is NONE:
        return f"{key}: {_short(old)} is gone"
    return f"{key}: {_short(old)} → {_short(new)}"


def _module(name: str, old: Any, new: Any) -> str:
    if old is NONE:
        return f"{name} (now read)"
    return f"{name} (no longer read)" if new is NONE else name


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _few(told: list[str]) -> str:
    more = [f"{len(told) - MOST} more"] if len(told) > MOST else []
    return ", ".join([*told[:MOST], *more])


@functools.cache
def _code(roots: tuple[str, ...]) -> dict[str, Any]:
    return code_of(roots)
