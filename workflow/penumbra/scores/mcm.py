"""Maximum concept matching of a vision-language model (Ming et al. 2022)."""

import numpy as np

from penumbra.numerics import by_rows, class_first, max_softmax
from penumbra.options.ranges import Positive

NEEDS = ("logits",)


def score(arrays: dict[str, np.ndarray], temperature: Positive = 1.0) -> np.ndarray:
    """max_c softmax(cos(image, text_c) / T)_c, Eq. 1, with T = 1 as in the paper.

    The logits (N, C) are the cosines themselves, not multiplied by the logit scale of the model's
    training. -> (N,) in [1/C, 1].
    """
    return by_rows(lambda cosines: max_softmax(class_first(cosines), temperature), arrays["logits"])
