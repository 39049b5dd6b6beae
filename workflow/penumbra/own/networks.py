"""The network of a world of one's own: trained on its images, or given by a file of weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penumbra.errors import PenumbraError
from penumbra.images.classes import lines_of
from penumbra.images.looks import Look
from penumbra.images.names import difference
from penumbra.networks.loading.metadata import preprocessing
from penumbra.own.choices import Choices, size_of, square_of
from penumbra.own.names import quote
from penumbra.plugins import load
from penumbra.store.artifacts import provenance_of

HALF = [0.5, 0.5, 0.5]
LIBRARIES = ("torchvision:", "timm:", "python:")


class Network(NamedTuple):
    """What a world says of how images are brought to a network, and of the network: YAML."""

    size: int
    square: str
    normalisation: str
    backbone: str
    recipe: str
    reasons: tuple[str, ...]
    is_known: bool = True  # whether the normalisation is that of the weights
    has_maps: bool = True  # whether scorers of feature maps can read it
    features: int | None = None  # how many penultimate ones; None where only your code knows


class Given(NamedTuple):
    """A file of weights, what its network is called in the config, and the order of its classes."""

    weights: Path
    network: str
    classes: Path | None


def trained(choices: Choices) -> Network:
    """A network that is trained on the images."""
    backbone = (
        "  resnet18: {label: ResNet-18, network: resnet, "
        f"options: {{layers: 18, width: {choices.width}, stem: {choices.stem}}}}}"
    )
    recipe = f"""\
  standard:
    {{method: standard, momentum: 0.9, nesterov: true, weight_decay: 0.0005,
    epochs: {choices.epochs}, batch_size: {choices.batch_size}, lr: {choices.lr},
    schedule: {{kind: cosine_iteration, warmup_epochs: 1}}, precision: {choices.precision},
    augment: {{flip: {str(choices.flip).lower()}, crop_padding: {choices.size // 8}}}}}"""
    return Network(
        choices.size,
        choices.square,
        _normalisation(HALF, HALF),
        backbone,
        recipe,
        choices.reasons,
        features=8 * choices.width,
    )


def check(own: Given) -> None:
    """Refuse what cannot be, whatever the images are: a million are not looked at for a slip.

    Raises:
        PenumbraError: the weights or the order of classes are not there; or the network is of no
            library, and they are no checkpoint of this project.
    """
    if not own.weights.is_file():
        raise PenumbraError(f"there is no file of weights {own.weights}")
    if own.classes and not own.classes.is_file():
        raise PenumbraError(f"--classes: there is no file {own.classes}")
    _check_name(own.network)
    if not own.network.startswith(LIBRARIES):
        _own_backbone(own)


def given(own: Given, train: Look, size: int | None) -> Network:
    """A network whose weights are given and that `check` let pass; a `size` that is given stays.

    Raises:
        PenumbraError: the order of classes is not one of the training images'; or the network
            takes no images of this size.
    """
    _check_order(own.classes, train)
    known = preprocessing(own.network, own.weights)
    square, shape = square_of(train)
    if known is None:
        normalisation = "null"
        side, why = (size, "as given") if size else size_of(train.side(), True)
        told = (
            f"size {side}: {why}",
            "NORMALISATION unknown: the weights do not say how images were normalised for their "
            "training. Write it into `normalisation`, as {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, "
            "0.5]}; nothing runs before",
        )
    else:
        normalisation = _normalisation(known.mean, known.std)
        side, why = _side(known.size, size, train)
        told = (f"size {side}: {why}", f"normalisation: {known.source}")
    return Network(
        side,
        square,
        normalisation,
        f"  given: {{label: {quote(own.network)}, {_backbone(own, side)}}}",
        f"  given: {{method: pretrained, pretrained: {{{_files(own)}}}}}",
        (*told, f"square by {square}: {shape}", *_place_of_code(own.network)),
        known is not None,
        *_looked_at(own.network, len(train.classes), side),
    )


def _check_name(network: str) -> None:
    """Refuse a network of a library that it has not, or of another form.

    Raises:
        PenumbraError: with the nearest name.
    """
    library, _, name = network.partition(":")
    if library == "python" and len(name.split(":")) != 2:
        raise PenumbraError(f"--network {network}: write python:MODULE:FUNCTION")
    if library in ("torchvision", "timm"):
        load("networks.backbones", library).check_name(name)


def _looked_at(network: str, classes: int, side: int) -> tuple[bool, int | None]:
    """Whether a library's network has blocks that give maps, and its features; it is built to see.

    Raises:
        PenumbraError: it takes no such images, or ends in no linear layer.
    """
    library, _, name = network.partition(":")
    if library not in ("torchvision", "timm"):
        return True, None
    built = load("networks.backbones", library).build(classes, name, side)
    return bool(built.blocks), built.fc.weight.shape[1]


def _place_of_code(network: str) -> Iterator[str]:
    """Where a network's own file of Python is looked for."""
    library, *names = network.split(":")
    if library == "python":
        module, function = names
        yield (
            f"network: what {function}(classes) of {module}.py gives; put that file beside "
            "penumbra.yaml, or call from its folder"
        )


def _check_order(classes: Path | None, train: Look) -> None:
    """Refuse an order of classes that is not one of those of the training images."""
    if classes is None:
        return
    wrong = difference(lines_of(classes), train.classes)
    if wrong:
        raise PenumbraError(
            f"--classes {classes}: name each class of the training images once; {wrong}"
        )


def _side(known: int | None, size: int | None, train: Look) -> tuple[int, str]:
    if size:
        return size, "as given" + (f"; the weights were made for {known}" if known else "")
    return (known, "that of the weights") if known else size_of(train.side(), True)


def _normalisation(mean: list[float], std: list[float]) -> str:
    return f"{{mean: {list(mean)}, std: {list(std)}}}"


def _backbone(own: Given, side: int) -> str:
    if own.network.startswith(LIBRARIES):
        return f"network: {quote(own.network)}, options: {{image_size: {side}}}"
    backbone = _own_backbone(own)
    options = ", ".join(f"{key}: {_value(value)}" for key, value in backbone["options"].items())
    return f"network: {backbone['network']}, options: {{{options}}}"


def _own_backbone(own: Given) -> dict[str, Any]:
    """The backbone of a checkpoint of this project."""
    try:
        config = provenance_of(own.weights).get("config", {})
    except PenumbraError as error:
        raise PenumbraError(
            f"--network {own.network}: write torchvision:NAME, timm:NAME or "
            f"python:MODULE:FUNCTION; {own.weights} is no checkpoint of this project"
        ) from error
    backbone = config.get("backbone")
    if not isinstance(backbone, dict) or not backbone.keys() >= {"network", "options"}:
        raise PenumbraError(
            f"{own.weights}: a file of this project, of a part or an older version, whose header "
            "names no network of a classifier; give a model's model.safetensors of this version"
        )
    if backbone["network"] != own.network:
        raise PenumbraError(
            f"--network {own.network}: {own.weights} is of the network {backbone['network']}; "
            "write that"
        )
    return backbone


def _value(value: Any) -> str:
    return quote(value) if isinstance(value, str) else str(value).lower()


def _files(own: Given) -> str:
    classes = f", classes: {quote(str(own.classes))}" if own.classes else ""
    return f"weights: {quote(str(own.weights))}{classes}"
