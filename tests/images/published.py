"""Small data sets in the layouts of their publishers, made of real photographs."""

import csv
import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy.io import savemat
from skimage import data as pictures

from penumbra.images.published.fer2013 import USAGES
from penumbra.images.published.spacenet8 import CITIES

PHOTOGRAPH = pictures.astronaut()  # (512, 512, 3)
# Two slides of each domain of the ID data, one of each other.
SLIDES = (1, 2, 51, 52, 101, 102, 201, 245, 300, 350, 405, 490, 505)
MITOTIC, LOOKALIKE = 1, 2


def box(x: float, y: float, side: float = 50) -> list[float]:
    """[left, top, right, bottom] around a point."""
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def write_midog(place: Path, slides: tuple[int, ...] = SLIDES, **tiff) -> dict:
    """Slides of 512×512, each with a figure, a look-alike beside it, and one at the border."""
    place.mkdir(parents=True, exist_ok=True)
    data: dict = {"images": [], "annotations": []}
    for number in slides:
        name = f"{number:03}.tiff"
        pixels = np.roll(PHOTOGRAPH, 7 * number, 1)
        tifffile.imwrite(place / name, pixels, photometric="rgb", **tiff)
        data["images"].append({"id": number, "file_name": name, "width": 512, "height": 512})
        for category, at in ((MITOTIC, (100.5, 80)), (LOOKALIKE, (200, 90)), (MITOTIC, (10, 300))):
            entry = {"image_id": number, "category_id": category, "bbox": box(*at)}
            data["annotations"].append({"id": len(data["annotations"]), **entry})
    (place / "MIDOG++.json").write_text(json.dumps(data))
    return data


def write_spacenet8(place: Path, tiles: int = 10) -> None:
    """Tiles of two cities; every third is flooded, every fourth was taken twice after."""
    for folder in CITIES.values():
        for name in ("PRE-event", "POST-event", "annotations"):
            (place / folder / name).mkdir(parents=True)
        table = place / folder / f"{folder}_label_image_mapping.csv"
        with table.open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["label", "pre-event image", "post-event image 1", "post-event image 2"])
            for i in range(tiles):
                after = [f"b_{i}.tif", f"c_{i}.tif" if i % 4 == 0 else ""]
                rows.writerow([f"{i}.geojson", f"a_{i}.tif", *after])
                for event, name in (("PRE", f"a_{i}.tif"), *(("POST", n) for n in after if n)):
                    side = 130 if event == "PRE" else 97
                    image = Image.fromarray(np.roll(PHOTOGRAPH, 31 * i, 0)[:side, :side])
                    image.save(place / folder / f"{event}-event" / name)
                said = [{"building": "yes", "flooded": None}, {"highway": "x", "flooded": "yes"}]
                features = [{"properties": p, "geometry": None} for p in said[: 1 + (i % 3 == 0)]]
                text = json.dumps({"type": "FeatureCollection", "features": features})
                (place / folder / "annotations" / f"{i}.geojson").write_text(text)


def write_fer2013(file: Path, each: int = 7, head: str = "emotion,pixels,Usage") -> None:
    """`each` faces of every usage, their emotions in turn."""
    file.parent.mkdir(parents=True, exist_ok=True)
    names = [name.strip().lower() for name in head.split(",")]
    lines = [head]
    for i, usage in enumerate(np.repeat(USAGES, each)):
        grey = PHOTOGRAPH[i : i + 48, 2 * i : 2 * i + 48, 0]
        row = {"emotion": i % 7, "pixels": " ".join(map(str, grey.ravel())), "usage": usage}
        lines.append(",".join(str(row[name]) for name in names))
    file.write_text("\n".join(lines) + "\n")


def write_cars(place: Path, classes: int = 8, each: int = 2) -> None:
    """`each` cars of every class in both splits, and the devkit."""
    (place / "devkit").mkdir(parents=True)
    files = {"train": "devkit/cars_train_annos", "test": "cars_test_annos_withlabels"}
    fields = [(k, object) for k in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
    names = np.array([f"Make {i} C/V 2012" for i in range(classes)], dtype=object)
    savemat(place / "devkit/cars_meta.mat", {"class_names": names})
    for split, file in files.items():
        (place / f"cars_{split}").mkdir()
        annotations = np.zeros(classes * each, dtype=fields)
        for i in range(classes * each):
            name = f"{i + 1:05}.jpg"
            annotations[i] = (1, 1, 60, 40, i % classes + 1, name)
            Image.fromarray(PHOTOGRAPH[i : i + 60, : 70 + i]).save(place / f"cars_{split}" / name)
        savemat(place / f"{file}.mat", {"annotations": annotations})


def write_food(place: Path, classes: tuple[str, ...], each: int = 2) -> None:
    """`each` dishes of every class in both splits, and the lists."""
    (place / "meta").mkdir(parents=True)
    number = 0
    for split in ("train", "test"):
        listed: dict[str, list[str]] = {}
        for name in classes:
            (place / "images" / name).mkdir(parents=True, exist_ok=True)
            for _ in range(each):
                number += 1
                image = Image.fromarray(PHOTOGRAPH[number : number + 60, : 70 + number])
                image.save(place / "images" / name / f"{number}.jpg")
                listed.setdefault(name, []).append(f"{name}/{number}")
        every = [name for names in listed.values() for name in names]
        (place / "meta" / f"{split}.txt").write_text("\n".join(every) + "\n")
        (place / "meta" / f"{split}.json").write_text(json.dumps(listed))
