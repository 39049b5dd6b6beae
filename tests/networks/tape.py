"""CUDA graphs' contract on a CPU: the kernels of one call are recorded, then repeated in place.

What Python did around them is not repeated, so work that leans on it gives other numbers than
when it is called. A read by the host ends the recording, as it ends a capture.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CALLS = {"cpu", "tolist", "numpy", "unique", "unique_consecutive"}
READS = {"_local_scalar_dense", "nonzero", "is_nonzero", "item", "equal", "masked_select"}


def host_read(operation, arguments):
    """Whether an operation makes the host wait for a number of the device."""
    if operation._schema.name.split("::")[1] in READS:
        return True
    masks = [x for x in tree_leaves(arguments[1:]) if isinstance(x, torch.Tensor)]
    return "index" in operation.__name__ and any(x.dtype == torch.bool for x in masks)


class Waits(TorchFunctionMode):
    """Refuses calls that copy to the host, or whose result has a size that only the device knows.

    On a CPU such a copy is none, so that no kernel tells of it.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name, given = function.__name__, [*args[1:], *(kwargs or {}).values()]
        to_host = name == "to" and "cpu" in [x for x in given if isinstance(x, str)]
        counted = name == "repeat_interleave" and any(isinstance(x, torch.Tensor) for x in given)
        waits = name in CALLS or to_host or counted
        assert not waits, f"{name} waits for the device"
        return function(*args, **(kwargs or {}))


class Watch(TorchDispatchMode):
    """Refuses what would make the host wait."""

    def __enter__(self):
        self.calls = Waits()
        self.calls.__enter__()
        return super().__enter__()

    def __exit__(self, *failure):
        super().__exit__(*failure)
        self.calls.__exit__(*failure)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        assert not host_read(operation, args), f"{operation} waits for the device"
        return operation(*args, **(kwargs or {}))


class Recording(Watch):
    """Keeps every kernel with the tensors that it read and wrote."""

    def __init__(self):
        super().__init__()
        self.kernels = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = super().__torch_dispatch__(operation, types, args, kwargs)
        self.kernels.append((operation, args, kwargs or {}, found))
        return found

    @torch.no_grad()
    def repeat(self):
        for operation, args, kwargs, found in self.kernels:
            again = operation(*args, **kwargs)
            for mine, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if isinstance(mine, torch.Tensor) and mine.data_ptr() != new.data_ptr():
                    mine.copy_(new)


class Capture:
    """Stands where a CUDA graph would; a captured call runs nothing, so the state is put back."""

    def __init__(self, work, inputs, held):
        self.inputs = tuple(x.detach().clone() for x in inputs)
        before = [x.detach().clone() for x in held]
        random = torch.get_rng_state()
        self.recording = Recording()
        with self.recording:
            self.outputs = work(*self.inputs)
        with torch.no_grad():
            for x, value in zip(held, before, strict=True):
                x.copy_(value)
        torch.set_rng_state(random)

    def replay(self, inputs):
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.recording.repeat()
        return tuple(x.clone() for x in self.outputs)
