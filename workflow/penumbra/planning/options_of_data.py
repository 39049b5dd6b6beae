"""Options of data sets and image sets, held against what their takers state."""

from collections.abc import Iterator
from typing import Any

from penumbra.options.check import Problem, examine
from penumbra.options.class_split import ClassSplit
from penumbra.options.offered import function, is_offered, offered
from penumbra.planning.layers import Layer, Placed, entries, mapping, placed

KIND = "published layout"


def datasets(catalogue: Any) -> Iterator[Placed]:
    """Data sets that a module of `penumbra.images.published` lists, split by split.

    A split's options are laid over those of the data set.
    """
    every = entries({"datasets": catalogue}, "datasets")
    for name, entry in every.items():
        official, keys = mapping(entry, "official"), (name,)
        if "reads" not in official:
            continue
        if not is_offered(KIND, official["reads"]):
            wrong = Problem("choice", ("reads",), official["reads"], "", tuple(offered(KIND)))
            yield from placed([((*keys, "official"), official)], [wrong])
            continue
        taken = function(KIND, official["reads"], "listed")
        for split, own in entries(entry, "splits").items():
            layers: list[Layer] = [((*keys, "splits", split), own), ((*keys, "official"), official)]
            given = {**mapping(official, "options"), **mapping(own, "options")}
            for problem in taken.problems(given):  # what is missing, the split should say
                said = layers[:1] if problem.kind == "missing" else layers
                yield from placed(said, [problem], "options")


def image_sets(config: Any) -> Iterator[Placed]:
    """Image sets of some classes that are drawn."""
    for name, entry in entries(config, "image_sets").items():
        if "class_split" in entry:
            layers: list[Layer] = [(("image_sets", name), entry)]
            yield from placed(layers, examine(ClassSplit, entry["class_split"]), "class_split")
