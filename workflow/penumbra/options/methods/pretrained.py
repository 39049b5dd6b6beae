"""Options of a classifier that was trained elsewhere, whose weights are given."""

from dataclasses import dataclass

from penumbra.options import check


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """A classifier trained elsewhere."""

    OWNER = "method pretrained"

    weights: str
    """File of its weights, safetensors, PyTorch's or NumPy's (.npz, as BiT's): a whole path, or one
    below weights_root."""
    classes: str | None = None
    """Text file with a class a line in the order of the network's logits, where that is not the
    order of the benchmark's training images."""
