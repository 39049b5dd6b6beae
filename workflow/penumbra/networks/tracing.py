"""What the modules of a network give, seen by running it once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError

CONTAINERS = (nn.Sequential, nn.ModuleList)


@dataclass
class Trace:
    """Modules by path, in the order in which they ended, with their outputs for two images `x`.

    Those that ran more than once, or gave no single tensor, are left out.
    """

    x: Tensor
    logits: Tensor
    order: list[str] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def trace(net: nn.Module, size: int) -> Trace:
    """Run a network in eval mode on two random images (3, size, size).

    Raises:
        PenumbraError: it takes no such images, or gives no tensor (N, C).
    """
    seen: list[tuple[str, Tensor | None]] = []
    handles = [
        module.register_forward_hook(_keeper(seen, path))
        for path, module in net.named_modules()
        if path
    ]
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    x = x.to(next(net.parameters(), x))
    try:
        logits = net(x)
    except (Exception, SystemExit) as error:  # whatever somebody's forward() raises
        raise PenumbraError(
            f"the network does not take images (N, 3, {size}, {size}): {error}; give the side of "
            "those that it takes as options.image_size"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        told = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise PenumbraError(f"the network gives {told}, not logits (N, C); return these alone")
    runs = Counter(path for path, _ in seen)
    once = {path: out for path, out in seen if runs[path] == 1 and out is not None}
    return Trace(x, logits, list(once), once)


def _keeper(seen: list[tuple[str, Tensor | None]], path: str) -> Callable[..., None]:
    def keep(module: nn.Module, inputs: object, output: object) -> None:
        # A copy: what runs after may change the output in place.
        seen.append((path, output.clone() if isinstance(output, Tensor) else None))

    return keep


def blocks_of(net: nn.Module, seen: Trace) -> tuple[str, ...]:
    """The modules that a network is made of and that give maps (N, C, H, W), in order.

    Those with parts of their own, but for mere containers, that lie in no other such: a ResNet's
    residual blocks. A network with one such alone is looked into; one without has its convolutions.
    """
    maps = [path for path in seen.order if is_map(seen.outputs[path])]
    made = [path for path in maps if _is_made(net.get_submodule(path))]
    outer = _outermost(made)
    while len(outer) == 1 and len(made) > 1:
        made.remove(outer[0])
        outer = _outermost(made)
    convolutions = [path for path in maps if isinstance(net.get_submodule(path), nn.Conv2d)]
    # One convolution alone cuts images into a transformer's patches.
    return tuple(outer or (convolutions if len(convolutions) > 1 else ()))


def is_map(output: Tensor) -> bool:
    """Whether an output for square images is a map (N, C, H, W); windows of tokens end in C."""
    return output.dim() == 4 and output.shape[2] == output.shape[3]


def _is_made(module: nn.Module) -> bool:
    is_whole = any(True for _ in module.children()) and any(True for _ in module.parameters())
    return is_whole and not isinstance(module, CONTAINERS)


def _outermost(paths: list[str]) -> list[str]:
    return [p for p in paths if not any(p.startswith(f"{other}.") for other in paths)]
