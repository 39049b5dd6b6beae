"""Where every artifact lies: results/<world>/<stage>/…"""

MODEL = "{benchmark}/{backbone}/{recipe}/seed{seed}"
READING = MODEL + "/{input}"

TEMPLATES = {
    "images": "images/{image_set}.parquet",
    "models": f"models/{MODEL}/model.safetensors",
    "history": f"models/{MODEL}/history.parquet",
    "training-run": f"models/{MODEL}/model.safetensors.run.json",
    "outputs": f"outputs/{READING}.parquet",
    "norms": f"norms/{READING}/{{block}}.parquet",
    "blocks": f"norms/{READING}/{{block}}.blocks.parquet",
    "channels-blocks": f"channels/{READING}/{{block}}.blocks.parquet",
    "channels": f"channels/{READING}/{{block}}.parquet",
    "scores": f"scores/{READING}/{{scorer}}.parquet",
    "metrics": f"metrics/{READING}/{{scorer}}.parquet",
    "accuracy": f"accuracy/{READING}.parquet",
    "latency": f"latency/{READING}/{{scorer}}.parquet",
    "tables": "tables/{table}.parquet",
    "figures": "figures/{figure}.png",
}


def path(world: str, kind: str, **wildcards: object) -> str:
    """The path of one artifact, relative to the project."""
    return f"results/{world}/" + TEMPLATES[kind].format(**wildcards)


def pattern(world: str, kind: str) -> str:
    """The path with Snakemake's wildcards in it."""
    return f"results/{world}/{TEMPLATES[kind]}"
