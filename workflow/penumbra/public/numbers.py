"""What a user gives for numbers, as numpy has it."""

from typing import Any

import numpy as np

from penumbra.errors import PenumbraError

REAL, WHOLE = "fiu", "iu"  # kinds of dtype: true and false are no numbers here


def numbers(given: Any, what: str, kinds: str = REAL) -> np.ndarray:
    """An array of numbers of these kinds, of any shape.

    Raises:
        PenumbraError: it is none, or of another dtype, or some entries are masked.
    """
    if np.ma.is_masked(given):
        raise PenumbraError(
            f"{what}: {np.ma.count_masked(given)} of {given.size} entries are masked, which says "
            "nothing of these images; leave them out, as .compressed() does of one axis"
        )
    try:
        array = np.asarray(given)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(given, object)
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, or with a gradient
        raise PenumbraError(f"{what}: numpy cannot take it ({error})") from error
    if array.dtype.kind not in kinds:
        wanted = "integers" if kinds == WHOLE else "real numbers"
        raise PenumbraError(f"{what}: of dtype {array.dtype}; give {wanted}")
    return array
