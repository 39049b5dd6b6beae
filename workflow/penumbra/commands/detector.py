"""A model and a scorer in one file, to score images of your own: write, show, turn into ONNX."""

import argparse
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penumbra.commands.shared import cores, output, world
from penumbra.commands.shared.world import PROFILE
from penumbra.errors import PenumbraError, unknown
from penumbra.planning import paths

HELP = "a model and a scorer in one file: write it, show it, turn it into ONNX"
MODEL = Path(paths.TEMPLATES["models"]).name
STDERR = 2  # where Snakemake's words go


class Model(NamedTuple):
    """Where a model lies: the folder that holds `results`, its world, and its names there."""

    folder: Path
    world: str
    names: dict[str, str]  # benchmark, backbone, recipe, seed


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    does = parser.add_subparsers(required=True, dest="does", metavar="WHAT")
    export = does.add_parser("export", help="write a detector; Snakemake makes what it needs")
    export.add_argument("model", type=Path, help="model.safetensors below results/, or its folder")
    export.add_argument("file", type=Path, help="where the detector is written; .safetensors")
    export.add_argument("--scorer", required=True, help="a scorer of the config")
    export.add_argument(
        "--tpr", type=float, default=0.95, help="share of held-out ID images to accept (0.95)"
    )
    export.add_argument(
        "--input",
        default="clean",
        metavar="clean|map|map-RECIPE",
        help="images as they are, or with the universal map of the model or of a recipe (clean)",
    )
    world.add_of_results(export)
    export.add_argument(
        "--cores", type=cores.number, default=cores.EVERY, help="cores that Snakemake uses (all)"
    )
    export.set_defaults(do=_export)
    show = does.add_parser("show", help="what a detector is")
    show.add_argument("file", type=Path)
    _add_code(show)
    show.set_defaults(do=_show)
    onnx = does.add_parser("onnx", help="write network and scorer as one ONNX graph, and check it")
    onnx.add_argument("file", type=Path)
    onnx.add_argument("out", type=Path, metavar="OUT.onnx")
    _add_code(onnx)
    onnx.set_defaults(do=_onnx)


def _add_code(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--code", type=Path, metavar="FOLDER", help="of a python: network's file of yours"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    arguments.do(arguments)
    return 0


def _export(arguments: argparse.Namespace) -> None:
    from penumbra.detector.file import check_name, described, exported
    from penumbra.detector.threshold import check_tpr

    model = model_at(arguments.model)
    check_tpr(arguments.tpr)
    check_name(arguments.file)
    choice, config = world.of_results(arguments, model.folder, model.world, arguments.model)
    _check_scorer(model, config, arguments)
    given = {"map": f"map-{model.names['recipe']}"}.get(arguments.input, arguments.input)
    if given != "clean" and not given.startswith("map-"):
        raise PenumbraError(f"--input {given}: is none of clean, map and map-RECIPE")
    names = {**model.names, "input": given, "scorer": arguments.scorer}
    target = paths.path(model.world, "detectors", **names)
    output.check_kept(arguments.file, [model.folder / target])
    call = [*choice.snakemake([target]), *PROFILE, "--cores", arguments.cores]
    done = subprocess.run(call, stdout=STDERR, check=False)
    if done.returncode:
        told = f"Snakemake ended with status {done.returncode}; what it said stands above"
        raise PenumbraError(told)
    source = model.folder / target
    exported(source, arguments.file, arguments.tpr, _commit(source))
    # Where the code of a network of the user's own lies, seen from the model's folder.
    arguments.code = model.folder / described(source).backbone.get("place", ".")
    _show(arguments)


def model_at(path: Path) -> Model:
    """The model in a file or folder below `results`.

    Raises:
        PenumbraError: it is none.
    """
    file = (path if path.suffix == Path(MODEL).suffix else path / MODEL).absolute()
    outer, _, inner = str(file).rpartition("/results/")
    names = paths.wildcards("models", f"results/{inner}")
    if names is None:
        raise PenumbraError(
            f"{path}: is no place of a model; name one as results/embedded/models/<benchmark>/"
            "<backbone>/<recipe>/seed<seed>"
        )
    if not file.is_file():
        raise PenumbraError(
            f"{file}: there is no such model; `snakemake {file.relative_to(outer)} --cores all` "
            "trains it, with the --configfile of its world"
        )
    return Model(Path(outer), names.pop("world"), names)


def _check_scorer(model: Model, config: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """Refuse scorers that the model's world has not."""
    if arguments.scorer not in config["scorers"]:
        raise unknown("scorer", arguments.scorer, config["scorers"], f"world {model.world}")


def _commit(source: Path) -> str:
    """The commit of the code that made an artifact, where its run record knows it."""
    from penumbra.store.artifacts import read_record

    return read_record(source).get("commit", "")


def _show(arguments: argparse.Namespace) -> None:
    from penumbra.detector.detector import Detector
    from penumbra.detector.words import told

    print(told(arguments.file, Detector.load(arguments.file, "cpu", code=arguments.code)))


def _onnx(arguments: argparse.Namespace) -> None:
    from penumbra.detector.detector import Detector
    from penumbra.detector.onnx import write

    output.check(arguments.out, (".onnx",), [arguments.file])
    detector = Detector.load(arguments.file, "cpu", code=arguments.code)
    print(write(detector, arguments.out))
