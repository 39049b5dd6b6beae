"""What a scorer reads and what it is fitted on, as its module declares in NEEDS and FIT.

NEEDS = ("logits", "features", "head")   outputs of the model; weight and bias of its last layer
NEEDS = ("l2", …)                        statistics of one block's channels
NEEDS = ("maps",) or ("gradients",)      the network and the images; gradients: with autograd
NEEDS = {option: {value: (…)}}           depends on an option, whose first value is the default
FIT = ("train" or "heldout", …)          images that fit() sees, and what of them; optional
SECOND = ("features",)                   what of NEEDS and FIT is a second model's; optional
LEARNED = "catex"                        training method that learns what score() reads beside
                                         images, and keeps it in the checkpoint; optional
"""

import ast
import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from penumbra.errors import PenumbraError, unknown
from penumbra.options.check import Statement
from penumbra.options.offered import function
from penumbra.options.signatures import Function
from penumbra.store.closure import PACKAGE

OUTPUTS = ("logits", "features", "head")
LABELLED = (*OUTPUTS, "labels")  # of the images that are fitted on
NETWORK = ("maps", "gradients")
READ_TWICE = ("logits", "features")  # also of a second model
STATISTICS = ("l2", "max", "mean", "var", "var_unbiased", "min")
OFFERS = {"outputs": LABELLED, "statistics": STATISTICS, "network": NETWORK}
ROLES = ("train", "heldout")
# Keys of `fit` that choose the images; the others are arguments of the scorer's fit().
CHOICE = ("role", "images")


class Declared(NamedTuple):
    """NEEDS, FIT, SECOND and LEARNED of a scorer's module."""

    needs: Any
    fit: tuple[str, ...] | None
    second: tuple[str, ...]
    learned: str | None


@functools.cache
def declared(module: str) -> Declared:
    """NEEDS, FIT, SECOND and LEARNED of `penumbra.scores.<module>`, read without importing it.

    Raises:
        PenumbraError: it has no NEEDS, is fitted on other images than ID's, or reads of a second
            model what no stage reads of one.
    """
    file = PACKAGE / "scores" / f"{module}.py"
    constants: dict[str, Any] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            if name in ("NEEDS", "FIT", "SECOND", "LEARNED"):
                constants[name] = ast.literal_eval(node.value)
    if "NEEDS" not in constants:
        raise PenumbraError(f'{file}: a scorer declares what it reads, e.g. NEEDS = ("logits",)')
    fit = constants.get("FIT")
    if fit is not None and fit[0] not in ROLES:
        raise unknown("images to fit on", fit[0], ROLES, str(file))
    second = constants.get("SECOND", ())
    for name in second:
        if name not in READ_TWICE:
            raise unknown("reading of a second model", name, READ_TWICE, str(file))
    return Declared(constants["NEEDS"], fit, second, constants.get("LEARNED"))


def functions(module: str) -> tuple[Function, Function | None]:
    """A scorer's score(), and its fit(), if it has one.

    The option on which it hangs what score() reads has the values that NEEDS lists.

    Raises:
        PenumbraError: as `declared`, or it has FIT and no fit().
    """
    wanted, fit, *_ = declared(module)
    score = function("scorer module", module, "score")
    if isinstance(wanted, Mapping):
        ((option, choices),) = wanted.items()
        stated = Statement(Literal[tuple(choices)], next(iter(choices)))
        score = score._replace(options={**score.options, option: stated})
    if fit is None:
        return score, None
    fits = function("scorer module", module, "fit")
    # The images are chosen beside its arguments; their types are the config's own.
    choice = dict.fromkeys(CHOICE, Statement(Any, None))
    return score, fits._replace(options={**fits.options, **choice})


def needs(scorer: Mapping[str, Any]) -> tuple[str, ...]:
    """What a configured scorer reads.

    Raises:
        PenumbraError: it reads what nothing offers.
    """
    module = scorer["module"]
    wanted = declared(module).needs
    if isinstance(wanted, Mapping):
        (option, choices), *_ = wanted.items()
        value = scorer.get("options", {}).get(option, next(iter(choices)))
        wanted = choices[value]
    return _offered(module, tuple(wanted), {**OFFERS, "outputs": OUTPUTS})


def fit_needs(scorer: Mapping[str, Any]) -> tuple[str, ...]:
    """What its fit() sees of the images; empty for a scorer that is not fitted."""
    module = scorer["module"]
    fit = declared(module).fit
    offers = {"outputs": LABELLED, "network": NETWORK}
    return () if fit is None else _offered(module, tuple(fit[1:]), offers)


def fit_role(scorer: Mapping[str, Any]) -> str:
    """Whether its fit() sees training or held-out images; the config may choose (`fit.role`)."""
    fit = declared(scorer["module"]).fit
    assert fit is not None
    return str(scorer.get("fit", {}).get("role", fit[0]))


def _offered(
    module: str, wanted: tuple[str, ...], offers: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """`wanted`, if one of the offers has all of it."""
    if any(set(wanted) <= set(offered) for offered in offers.values()):
        return wanted
    every = dict.fromkeys(name for offered in offers.values() for name in offered)
    for name in wanted:
        if name not in every:
            raise unknown("need", name, every, f"penumbra/scores/{module}.py")
    raise PenumbraError(
        f"penumbra/scores/{module}.py: {', '.join(wanted)} come from different readings; a "
        "scorer of the network (maps, gradients) gets at all of them through its probe"
    )


def learned(scorer: Mapping[str, Any]) -> str | None:
    """The training method that learns what a configured scorer reads; None with `weights`."""
    return None if "weights" in scorer else declared(scorer["module"]).learned


def source(wanted: tuple[str, ...]) -> str:
    """What offers all that is wanted: outputs, statistics or network."""
    return next(name for name, offered in OFFERS.items() if set(wanted) <= set(offered))


def of_network(wanted: tuple[str, ...]) -> bool:
    """Whether the network itself is wanted."""
    return source(wanted) == "network"


def of_block(wanted: tuple[str, ...]) -> bool:
    """Whether statistics of a block's map are wanted."""
    return source(wanted) == "statistics"


def fit_options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a scorer's fit()."""
    return {key: value for key, value in entry.get("fit", {}).items() if key not in CHOICE}


def second(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What a configured scorer reads of a second model, beside that of its row."""
    return declared(entry["module"]).second
