"""What classes are called in words, and whether CLIP can read it."""

import functools
from collections.abc import Iterator

from penumbra.images.classes import class_list, in_words, word_list
from penumbra.networks.loading.clip_files import wordless
from penumbra.planning.world import World


@functools.cache
def words(world: World, benchmark: str) -> dict[str, str]:
    """What the classes of a benchmark are called, where the data set it trains on says it."""
    return words_of(world, world.config["benchmarks"][benchmark]["train"])


def words_of(world: World, image_set: str) -> dict[str, str]:
    """What the classes of an image set are called, where its data set says it."""
    dataset = world.datasets[world.image_set(image_set)["dataset"]]
    return word_list(world.folder / "words", dataset.get("words_file"))


def known(world: World, benchmark: str) -> list[str]:
    """The names of a benchmark's classes, as far as lists say them; none where no list does."""
    return known_of(world, world.config["benchmarks"][benchmark]["train"])


def known_of(world: World, image_set: str) -> list[str]:
    """The same of the classes of an image set."""
    entry = world.image_set(image_set)
    dataset = world.datasets[entry["dataset"]]
    names = dataset.get("class_list") or dataset.get("class_names") or []
    kept = class_list(world.folder / "classes", entry.get("classes_file")) or entry.get("classes")
    return [
        str(names[c]) if isinstance(c, int) and c < len(names) else str(c) for c in kept or names
    ]


def offered(world: World, benchmark: str) -> list[str]:
    """The classes that the CLIP of `categories` chooses among, as far as they are known."""
    clip = world.config["categories"]["clip"]
    listed = class_list(world.folder / "classes", clip.get("classes_file"))
    return listed or known(world, benchmark)


def unread(world: World, benchmark: str, classes: list[str], what: str) -> Iterator[str]:
    """Why CLIP cannot read the classes that `what` asks it for, if it can't."""
    yield from unread_of(world, world.config["benchmarks"][benchmark]["train"], classes, what)


def unread_of(world: World, image_set: str, classes: list[str], what: str) -> Iterator[str]:
    """The same of classes that the data set of an image set says the words of."""
    coded = wordless(in_words(classes, words_of(world, image_set)))
    if coded:
        dataset = world.image_set(image_set)["dataset"]
        yield (
            f"{world.where('datasets', dataset)}: {what} asks CLIP for classes that are called "
            f"{coded[0]} … ({len(coded)}), of which it makes nothing; say what they are called in "
            "a file of config/words, and name it there as `words_file`"
        )


def unrecognised(world: World, benchmark: str) -> Iterator[str]:
    """What is wrong with the classes that CLIP looks for in the outliers of a benchmark."""
    choices, own = offered(world, benchmark), known(world, benchmark)
    yield from unread(world, benchmark, choices, "categories.clip")
    if choices and own and set(own).isdisjoint(choices):
        yield (
            f"{world.where('categories', 'clip')}: none of the classes of {benchmark}, {own[0]} …, "
            f"is among the {len(choices)} to choose from; name them alike (`classes_file`)"
        )
