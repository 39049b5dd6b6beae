"""Options of outliers by Dream-OOD (Du et al. 2023): boundary sampling, then Stable Diffusion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.parts import stable_diffusion
from penumbra.options.ranges import Count, Naming, Positive

# The parts that it names, each with the kinds of part that will do.
PARTS = {"text_latent": ("text_latent",), "generator": ("stable_diffusion",)}
SAMPLER = "text_latent"  # the part that samples embeddings
WORDS = True  # it asks what classes are called in words


@dataclass(frozen=True, kw_only=True)
class Sampling(check.Options):
    """How embeddings are sampled at the boundary of a class; defaults as for ImageNet-100.

    Of a class with fewer images than its queue holds, neighbour, boundary and chosen are as many
    fewer, and one at least.
    """

    OWNER = "sampling"

    queue: Count = 1000
    """Embeddings of a class, of training images; at most so many as it has images."""
    neighbour: Count = 300
    """k of the k-th neighbour, whose distance says how far out a point is."""
    boundary: Count = 200
    """Embeddings of a class that count as its boundary."""
    chosen: Count = 50
    """Boundary embeddings drawn in a round."""
    candidates: Count = 1500
    """Points drawn around each of them."""
    deviation: Positive = 0.03
    """Deviation of these points."""
    kept: Count = 2
    """Candidates kept of each, the farthest out."""

    def together(self) -> Iterator[tuple[str, str]]:
        """What is drawn or kept is there."""
        for part, whole in (("chosen", "boundary"), ("kept", "candidates"), ("boundary", "queue")):
            few, many = getattr(self, part), getattr(self, whole)
            if few > many:
                yield part, f"{part} {few} of {whole} {many}"
        if self.neighbour >= self.queue:
            yield "neighbour", f"neighbour {self.neighbour} in a queue of {self.queue}"


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """How outliers are sampled in the text-conditioned latent space."""

    OWNER = "outlier set of kind dream"

    per_class: Count | None
    """Outliers of every class; null: as many as it has training images."""
    sampling: Sampling = Sampling()
    """Boundary sampling."""


@dataclass(frozen=True, kw_only=True)
class Decoding(stable_diffusion.Sampling):
    """How embeddings become images; the defaults are those of Dream-OOD's code."""

    OWNER = "decoding"

    prompt: Annotated[str, Naming()] = "A high-quality image of the {}"
    """What Stable Diffusion is told; the sampled embedding stands in the place of {}."""
    hints: Mapping[str, Annotated[str, Naming()]] | None = None
    """What stands in that place where words must tell which meaning of a class is meant, by class:
    "{} bird"."""

    def together(self) -> Iterator[tuple[str, str]]:
        """One embedding has one place."""
        hints = self.hints or {}
        texts = {"prompt": self.prompt, **{f"hints.{name}": hint for name, hint in hints.items()}}
        for key, text in texts.items():
            if (count := text.count("{}")) > 1:
                yield key.partition(".")[0], f"{text!r} has {count} places, and one is filled"
