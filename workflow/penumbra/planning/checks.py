"""Whether what a world says can be: types and ranges, names, options, and entries together."""

from functools import partial

from penumbra.planning import chain, sense
from penumbra.planning.gathering import problems_of, tell
from penumbra.planning.options import problems
from penumbra.planning.options_of_data import datasets
from penumbra.planning.references import unanswered
from penumbra.planning.schema import with_options
from penumbra.planning.validation import validate
from penumbra.planning.world import World


def check(world: World) -> None:
    """Types, ranges and names first; what entries say together only where those are right.

    Raises:
        PenumbraError: all that is wrong, a line each, with its file and key.
    """
    given = (
        ("config", world.config, world.files),
        ("datasets", world.catalogue, world.dataset_files),
    )
    typed = problems_of(partial(validate, data, world.schema(of), read) for of, data, read in given)
    options = problems(world.config, world.files)
    options += problems(world.catalogue, world.dataset_files, (datasets,))
    names = world.answers()
    named = [
        (of, one.keys[0], told)
        for of, data, read in given
        for one, told in unanswered(
            data, with_options(world.schema(of)), names, read.where, world.left_out
        )
    ]
    broken = {"datasets" if of == "datasets" else section for of, section, _ in named}
    # The synthesis chain rests on options that are whole.
    rest = () if typed else (sense.check,) if options else (sense.check, chain.check)
    together = problems_of(partial(check, world, broken) for check in rest)
    tell([*typed, *options, *(told for _, _, told in named), *together])
