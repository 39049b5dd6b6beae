"""The synthesis chain in a config fits together: parts, outlier sets, detectors and judges."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.classes import word_list
from penumbra.options.parts import autoencoder, ddpm, dit, ldm
from penumbra.planning.config import resolve_recipe
from penumbra.planning.gathering import tell
from penumbra.planning.latents import factor_of, latent_side, option
from penumbra.planning.outlier_training import detector
from penumbra.planning.parts import LATENTS, options_of, outlier_set, part, parts_of, roles
from penumbra.planning.world import World
from penumbra.plugins import load

SECTIONS = {"image_sets", "parts", "outliers", "recipes", "calibrations", "filters"}
OUTLIER_SET = ("shards", "seed", "grey")
DRAWN = ("vos", "npos", "catex")  # methods that draw outliers from features, from an epoch on
Problems = Callable[[World, str], Iterator[str]]  # after the entry's place


def check(world: World, broken: set[str]) -> None:
    """Refuse parts, outlier sets and recipes that could not be made or trained.

    Where names in one of the sections `broken` are unknown, that is told first.

    Raises:
        PenumbraError: all that does not fit, each with its file and key.
    """
    if broken & SECTIONS:
        return
    tell(
        told
        for section, problems in (
            ("parts", _part),
            ("outliers", _outlier_set),
            ("recipes", _recipe),
        )
        for told in _section(world, section, problems)
    )


def _section(world: World, section: str, problems: Problems) -> Iterator[str]:
    """What is wrong with the entries of a section, where it is not wrong with what they extend."""
    entries = world.config[section]
    outcomes = {name: _outcome(world, name, problems) for name in entries}
    raised: set[str] = set()
    for name, (error, texts) in outcomes.items():
        if error and error not in raised:
            raised.add(error)
            yield f"{world.where(section, name)}: {error}"
        _, inherited = outcomes.get(entries[name].get("extends"), ("", []))
        yield from (f"{world.where(section, name)}{t}" for t in texts if t not in inherited)


def _outcome(world: World, name: str, problems: Problems) -> tuple[str, list[str]]:
    """What looking at an entry raises, and else what it finds."""
    try:
        return "", list(problems(world, name))
    except PenumbraError as error:
        return str(error), []


def _absent(entry: Mapping[str, Any], keys: Iterable[str]) -> str:
    return ", ".join(key for key in keys if key not in entry)


def _part(world: World, name: str) -> Iterator[str]:
    entry = part(world, name)
    if (entry.get("weights") is None) == (entry.get("training") is None):
        yield (
            ": say `weights` (a file under weights_root) or `training`, one of them; "
            "null takes back what a part that it extends says"
        )
    elif entry.get("training") is not None and "images" not in entry:
        yield ": it is trained here, so name the image set: images"
    elif entry["kind"] == "ddpm" and entry.get("training") is not None:
        yield from _size(world, entry)
    elif entry["kind"] in ("autoencoder", *LATENTS):
        yield from _halves(world, entry)
    if "classes_file" in entry and (entry["kind"] != "rdm" or entry.get("weights") is None):
        yield ".classes_file: it is for a published rdm; drop it, as others know their classes"
    for role in roles(entry):
        if role not in entry:
            yield f": a {entry['kind']} names its {role}"
        elif _kind(world, entry[role]) not in (role, None):
            yield f".{role}: {entry[role]} is no {role}"
        elif role == "autoencoder":
            yield from _latents(world, entry)


def _size(world: World, entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the size of the images that a diffusion model of pixels learns."""
    own = option(entry, ddpm, "image_size")
    if own != (size := world.size(entry["images"])):
        yield (
            f".options.image_size: {own} pixels, and {entry['images']} measures {size}; make them "
            "alike"
        )


def _latents(world: World, entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the first stage of a generator."""
    own = option(part(world, entry["autoencoder"]), autoencoder, "latents")
    if own != (wanted := LATENTS[entry["kind"]]):
        yield (
            f".autoencoder: {entry['autoencoder']} gives {own} latents, and a {entry['kind']} is "
            f"of {wanted}; name a first stage with `latents: {wanted}`"
        )


def _halves(world: World, entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with how a part that is trained here divides images, or latents."""
    key = "multipliers"
    if entry["kind"] == "autoencoder":
        side = world.size(entry["images"]) if entry.get("training") is not None else None
        factor = factor_of(entry, autoencoder)
    elif entry["kind"] == "dit":
        key, side, factor = "patch", latent_side(world, entry), option(entry, dit, "patch")
    else:
        side, factor = latent_side(world, entry), factor_of(entry, ldm)
    if side is not None and side % factor:
        yield (
            f".options.{key}: they divide a side of {side} by {factor}, which does not go into it; "
            f"choose other {key}, or images of another size"
        )


def _kind(world: World, name: str) -> str | None:
    """The kind of a part; None where that part is in error itself."""
    try:
        return part(world, name).get("kind")
    except PenumbraError:
        return None


def _outlier_set(world: World, name: str) -> Iterator[str]:
    entry = outlier_set(world, name)
    if "kind" not in entry:
        return  # told where options are checked
    known = options_of(entry["kind"])
    wanted = (*known.PARTS, *OUTLIER_SET, *(("decoding",) if "generator" in known.PARTS else ()))
    absent = _absent(entry, wanted)
    if absent:
        yield f": it says no {absent}; say them, or extend another set that does"
        return
    chosen = {role: part(world, named) for role, named in parts_of(entry).items()}
    for role, kinds in known.PARTS.items():
        kind = chosen[role].get("kind")
        if kind not in kinds:
            yield f".{role}: {entry[role]} is of the kind {kind}; name a part of {_either(kinds)}"
            return
    if "concepts" in entry:
        word_list(world.folder / "words", entry["concepts"])
    words = chosen.get("text_latent", {}).get("stable_diffusion", entry.get("generator"))
    if words != entry.get("generator"):
        yield (
            f": {entry['text_latent']} learned the words of {words}, and {entry['generator']} "
            "makes the images; token embeddings of two text encoders are unrelated, so name parts "
            "of one"
        )
    read = {role: each["encoder"] for role, each in chosen.items() if "encoder" in each}
    if len({*read.values()}) > 1:
        (made, first), (reader, second) = [*read.items()][:2]
        yield (
            f": {entry[made]} makes representations of {first}, and {entry[reader]} reads "
            f"those of {second}; both are vectors of one length from unrelated spaces, so name "
            "parts of one encoder"
        )
    if chosen.get("generator", {}).get("kind") == "ldm":
        yield from _side(world, entry, chosen["generator"])


def _side(world: World, entry: Mapping[str, Any], generator: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with how large an LDM that is trained here decodes: it takes any size."""
    wanted, own = latent_side(world, generator), entry["decoding"].get("side")
    if None not in (own, wanted) and own != wanted:
        yield (
            f".decoding.side: {own}, and latents of the images that {entry['generator']} is "
            f"trained on have the side {wanted}; say {wanted}, or no side"
        )


def _either(kinds: Iterable[str]) -> str:
    return f"kind {' or '.join(kinds)}"


def _recipe(world: World, name: str) -> Iterator[str]:
    """What is wrong with the outliers of a recipe: those of a set, or drawn in the training."""
    plain = resolve_recipe(world.config["recipes"], name, "")
    if plain["method"] == "energy":
        yield from _detector(world, plain.get("outliers", {}))
    if plain["method"] in DRAWN:
        yield from _drawn(plain)


def _drawn(recipe: Mapping[str, Any]) -> Iterator[str]:
    method, epochs = recipe["method"], recipe["epochs"]
    start = recipe["options"].get("start", load("options.methods", method).Options.start)
    if start >= epochs:
        yield (
            f".{method}.start: outliers are drawn after {start} of {epochs} epochs, so that there "
            "are none; say an earlier one, or more epochs"
        )


def _detector(world: World, outlier_options: Mapping[str, Any]) -> Iterator[str]:
    if outlier_options.get("reconstruct_id"):
        generator = outlier_set(world, outlier_options["set"]).get("generator")
        if generator is None or _kind(world, generator) != "mage":
            yield (
                f".outliers.reconstruct_id: {generator or outlier_options['set']} has no "
                "tokenizer; only outliers of a mage come out of one"
            )
    if outlier_options.get("filter") is None:
        if outlier_options.get("judges"):
            yield (
                ".outliers: judges score the outliers for a filter, and it has none; name the "
                "filter, or write judges: []"
            )
        return
    name = outlier_options["filter"]
    by_score = world.config["filters"][name]["mode"] != "random"
    if by_score != bool(outlier_options.get("judges")):
        wanted = "judges score the outliers" if by_score else "random asks no judges"
        yield f".outliers: filter {name}: {wanted}"
    if by_score and outlier_options.get("calibration") is None:
        known = ", ".join(world.config["calibrations"])
        yield f".outliers: filter {name} goes by calibrated scores; name a calibration of {known}"
    judges = outlier_options.get("judges") or []
    for judge in judges:
        yield from _judge(world, judge, outlier_options["set"])
    yield from _folds(world, judges)


def _judge(world: World, judge: str, outliers: str) -> Iterator[str]:
    own = detector(world, judge)
    if own is None or own.get("set") != outliers:
        yield f".outliers.judges: {judge} was not trained on outlier set {outliers}"
    elif own.get("filter") is not None:
        yield f".outliers.judges: {judge} saw filtered outliers only"


def _folds(world: World, judges: Sequence[str]) -> Iterator[str]:
    """A judge scores the fold that it left out, or all outliers where it left out none."""
    folds = [(detector(world, judge) or {}).get("fold") for judge in judges]
    count = next((fold[1] for fold in folds if fold), 1)
    each = [[i, count] for i in range(count)] if any(folds) else [[]]
    if sorted(fold or [] for fold in folds) not in (each, []):
        shares = ("fold {} of {}".format(*fold) if fold else "all" for fold in folds)
        told = ", ".join(map(" ".join, zip(judges, shares, strict=True)))
        yield (
            f".outliers.judges: every outlier needs one judge, and these score: {told}; name a "
            "detector of each fold, all of as many, or one that trained on all outliers"
        )
