"""Out-of-distribution detection: what a user of Python calls, each name imported when asked for."""

_NAMES = {
    "Detector": "detector.detector",
    "evaluate": "public.evaluation",
    "frame": "public.results",
    "score_arrays": "public.arrays",
    "scorers": "public.catalogue",
}
__all__ = ["Detector", "__version__", "evaluate", "frame", "score_arrays", "scorers"]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version(__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
