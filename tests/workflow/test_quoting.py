"""No text of a config is ever read by a shell: spaces, quotes, semicolons and more."""

import json

from PIL import Image

from tests.workflow.conftest import FLAGS, Tiny

NASTY = """it's; touch pwned & "é" $(touch pwned) `touch pwned` *|>pwned"""
PETS = {"title": NASTY, "reader": "stored", "splits": {"test": {"count": 30}}}
PETS |= {"labelled": False, "size": 32, "licence": "none", "source": "made here"}


def test_folders_files_and_texts_with_what_shells_read_are_only_text(tmp_path):
    """A project, a data root, files, titles, labels and options of such names, to a table."""
    made = Tiny(tmp_path / NASTY)
    pets = made.folder / NASTY / "pets" / "test"
    pets.mkdir(parents=True)
    for i in range(30):
        Image.new("RGB", (40, 40), (8 * i, 9, 9)).save(pets / f"{i} {NASTY}.png")
    config = {
        "data_root": NASTY,
        "weights_root": f"weights {NASTY}",
        "datasets": {"pets": PETS},
        "image_sets": {"pets": {"dataset": "pets", "split": "test", "label": NASTY}},
        "benchmarks": {"digits": {"label": NASTY, "ood": {"far": ["pets"]}}},
        "backbones": {"resnet18": {"label": NASTY}},
        "tables": ["nasty"],
        "figures": [],
    }
    (made.folder / "nasty.yaml").write_text(json.dumps(config))  # JSON is YAML
    table = {
        "title": NASTY,
        "benchmark": "main",
        "backbone": "resnet18",
        "columns": [{"group": "far", "sets": "each", "metrics": ["fpr95"]}],
        "rows": [{"label": NASTY, "recipe": "standard", "scorer": "react"}],
    }
    (made.folder / "config/tables/nasty.yaml").write_text(json.dumps(table))
    made.snakemake("all_tables", *FLAGS[:2], "nasty.yaml", *FLAGS[2:])
    text = (made.folder / "results/tiny/tables/nasty.csv").read_text()
    assert NASTY.replace('"', '""') in text
    assert list(tmp_path.rglob("pwned*")) == []
