"""Work of fixed shapes as one CUDA graph: the host launches it at once, not kernel by kernel."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

Work = Callable[..., tuple[Tensor, ...]]

# Calls of one shape before it is captured: libraries settle, optimisers make their state.
EAGER = 3


class Graphed:
    """Work on tensors that is captured once it has been called alike a few times, then replayed.

    `work` takes and gives tensors. It reads nothing on the host, and keeps what it holds beside its
    arguments in place: a replay repeats the kernels, not the Python around them. Where `enabled` is
    false, as on a CPU, it is called as it is. Whoever calls it does so in `side_stream`.
    """

    def __init__(self, work: Work, enabled: bool):
        self.work, self.enabled = work, enabled
        self.calls: Counter[tuple] = Counter()
        self.captured: dict[tuple, _Capture] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What `work` gives for the inputs, in tensors of their own."""
        if not self.enabled:
            return self.work(*inputs)
        alike = tuple((x.shape, x.stride(), x.dtype) for x in inputs)
        self.calls[alike] += 1
        if self.calls[alike] <= EAGER:
            return self.work(*inputs)
        if alike not in self.captured:
            self.captured[alike] = _Capture(self.work, inputs)
        return self.captured[alike].replay(inputs)


class _Capture:
    """One graph, with the tensors that it reads and writes."""

    def __init__(self, work: Work, inputs: tuple[Tensor, ...]):
        self.inputs = tuple(x.detach().clone() for x in inputs)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=torch.cuda.current_stream()):
            self.outputs = work(*self.inputs)

    def replay(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return tuple(x.clone() for x in self.outputs)


@contextmanager
def side_stream(device: torch.device) -> Iterator[None]:
    """A stream on which graphs can be captured, which the default one is not; a CPU has none."""
    if device.type != "cuda":
        yield
        return
    before, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    stream.wait_stream(before)
    with torch.cuda.stream(stream):
        yield
    before.wait_stream(stream)
