"""One place that makes a process repeatable."""

import os

import torch

from penumbra.errors import PenumbraError
from penumbra.training.gpus import take_one


def determinism(threads: int, compiled: bool = False) -> None:
    """Fix thread count and algorithms: same code, config, device kind and threads, same bytes.

    TF32 is off, so that float32 means float32 on every device; bf16 is asked for by `precision`.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    if compiled:
        torch.use_deterministic_algorithms(True)  # tells the compiler, too
    else:
        # The same for everything else, without the import of the whole compiler.
        torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def pick_device(name: str) -> torch.device:
    """The device that config names: `auto` is the GPU where there is one.

    Raises:
        PenumbraError: a GPU is asked for and none is visible.
    """
    if name != "cpu":
        take_one()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise PenumbraError(
            "compute.device is cuda, but no GPU is visible; ask Slurm for one (compute.gpus: 1), "
            "or set compute.device: cpu"
        )
    return torch.device(name)
