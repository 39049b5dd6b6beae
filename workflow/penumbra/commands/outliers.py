"""An outlier set as a data set for others: Parquet files with a data card, in a folder."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penumbra.commands.detector import model_at
from penumbra.commands.shared import world as worlds
from penumbra.errors import PenumbraError, unknown
from penumbra.planning import paths

if TYPE_CHECKING:
    from penumbra.planning.world import World

HELP = "an outlier set as Parquet files with a data card, for others"
DEPTH = 3  # of a set's folder below a world's: outliers/<benchmark>/<set>


def add(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    does = parser.add_subparsers(required=True, dest="does", metavar="WHAT")
    export = does.add_parser("export", help="write a set that was synthesised")
    export.add_argument("set", type=Path, help="its folder: results/WORLD/outliers/BENCHMARK/SET")
    export.add_argument(
        "folder", type=Path, metavar="DIR", help="where it is written; a new folder"
    )
    export.add_argument(
        "--model",
        type=Path,
        help="a model below results/ whose selection says P(ID) and what is kept, and its "
        "categories where they are computed",
    )
    worlds.add_of_results(export)


def run(arguments: argparse.Namespace) -> int:
    """Write it.

    Raises:
        PenumbraError: the set is not whole, DIR is not empty, or the model has no selection of it.
    """
    from penumbra.outliers.card import Origin, text
    from penumbra.outliers.export import export, told
    from penumbra.planning.parts import outlier_set
    from penumbra.store import seals
    from penumbra.store.artifacts import provenance_of
    from penumbra.store.files import write_text

    home, name, benchmark, outliers = _named(arguments.set)
    world = _world(arguments, home, name)
    _check_new(arguments.folder)
    shards = _shards(world, home, benchmark, outliers)
    files = _of_model(arguments.model, outliers)
    for file in (*shards, *filter(None, files)):
        seals.check(file, ours=True)
    train = world.config["benchmarks"][benchmark]["train"]
    rows = [*export(shards, _classes(home, world, train), told(*files), arguments.folder)]
    dataset = world.datasets[world.image_set(train)["dataset"]]
    origin = Origin(
        world=name,
        benchmark=benchmark,
        name=outliers,
        config=outlier_set(world, outliers),
        code=provenance_of(shards[0])["code"]["digest"],
        train=dataset["title"],
        licence=dataset["licence"],
        model=str(arguments.model or ""),
    )
    write_text(arguments.folder / "README.md", text(origin, rows))
    print(f"{sum(map(len, rows))} outliers in {len(shards)} files below {arguments.folder}/data")
    return 0


def _named(path: Path) -> tuple[Path, str, str, str]:
    """The folder of `results`, and world, benchmark and set."""
    whole = path.absolute()
    inside = whole.parts[-DEPTH:]
    if len(whole.parts) < DEPTH + 3 or inside[0] != "outliers" or whole.parts[-5] != "results":
        raise PenumbraError(
            f"{path}: is no place of an outlier set; name one as results/embedded/outliers/"
            "<benchmark>/<set>"
        )
    return Path(*whole.parts[:-5]), whole.parts[-4], inside[1], inside[2]


def _world(arguments: argparse.Namespace, home: Path, name: str) -> "World":
    from penumbra.commands.list import opened

    choice, _ = worlds.of_results(arguments, home, name, arguments.set)
    return opened(choice)


def _check_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PenumbraError(f"{folder}: is there and not empty; name a new folder")


def _shards(world: "World", home: Path, benchmark: str, outliers: str) -> list[Path]:
    from penumbra.planning.outlier_training import shard_files

    for kind, key, names in (
        ("benchmark", benchmark, world.config["benchmarks"]),
        ("outlier set", outliers, world.config["outliers"]),
    ):
        if key not in names:
            raise unknown(kind, key, names, f"world {world.name}")
    files = shard_files(world, "outliers", benchmark, outliers)
    _check_there([home / file for file in files], home)
    return [home / file for file in files]


def _check_there(files: list[Path], home: Path) -> None:
    absent = [str(file.relative_to(home)) for file in files if not file.is_file()]
    if absent:
        raise PenumbraError(
            f"{home / absent[0]} is not there ({len(absent)} of {len(files)} files); `penumbra run "
            f"WORLD {' '.join(absent[:3])}{' …' * (len(absent) > 3)}` makes what is missing"
        )


def _of_model(path: Path | None, outliers: str) -> tuple[Path | None, Path | None]:
    """Selection, and categories if there are some, of a model."""
    from penumbra.store.artifacts import provenance_of

    if path is None:
        return None, None
    model = model_at(path)

    def file(kind: str) -> Path:
        return model.folder / paths.path(model.world, kind, **model.names)

    _check_there([file("selections")], model.folder)
    selected = provenance_of(file("selections"))["config"]["outliers"]
    if selected != outliers:
        raise PenumbraError(
            f"{path}: it selects among the outliers {selected}, and {outliers} are to be exported; "
            "name a model that trains on these"
        )
    return file("selections"), file("categories") if file("categories").is_file() else None


def _classes(home: Path, world: "World", train: str) -> list[Any]:
    from penumbra.images.image_set import classes_of

    file = home / paths.path(world.name, "images", image_set=train)
    _check_there([file], home)
    return classes_of(file)
