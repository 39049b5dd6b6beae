"""The state of a run that was stopped, outside the outputs that Snakemake removes."""

import hashlib
import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.store.files import atomic

Record = dict[str, float]


class Resume:
    """Saves and gives back a training's tensors and history; one file per run identity.

    The identity names all that decides the run's bytes, so a state is never taken up by another
    run. `asked` says that the training shall save its state after this step and end. `earlier` are
    the seconds that made the state which was taken up; what a kill undid is not in them.
    """

    asked = False

    def __init__(self, folder: Path, identity: str):
        self.path = folder / f"{identity}.safetensors"
        self.earlier, self._started = 0.0, time.perf_counter()

    def listen(self) -> None:
        """Let signals ask: Slurm sends SIGTERM before a preemption, at a time limit and on scancel.

        A terminal's Ctrl-C is SIGINT.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def write(self, tensors: Mapping[str, Tensor], history: list[Record]) -> None:
        """Replace the saved state.

        Raises:
            PenumbraError: it cannot be written; the state before it is still there.
        """
        whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        seconds = round(self.earlier + time.perf_counter() - self._started, 3)
        text = json.dumps({"history": history, "seconds": seconds})
        metadata = {"run": text, "digest": _digest(whole, text)}
        try:
            with atomic(self.path) as temporary:
                save_file(whole, temporary, metadata=metadata)
        except (OSError, SafetensorError) as error:
            raise PenumbraError(
                f"{self.path}: the training's state cannot be saved ({error}); the one before it "
                "is still there: mend that and call snakemake again"
            ) from error

    def read(self, report: Callable[[str], None]) -> tuple[dict[str, Tensor], list[Record]]:
        """The saved tensors and history; both empty where there is no state, or a damaged one."""
        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
            text = metadata.get("run", "")
            if metadata.get("digest") != _digest(tensors, text):
                raise ValueError("its digest is another")
            run = json.loads(text)
            self.earlier = run["seconds"]
            return tensors, run["history"]
        except FileNotFoundError:
            return {}, []
        except (OSError, SafetensorError, ValueError) as error:
            report(f"the saved state {self.path} is damaged ({error}); starting from scratch")
            return {}, []

    def discard(self) -> None:
        """Remove the state of a run that has ended."""
        self.path.unlink(missing_ok=True)


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """A digest of tensors by name and of a text."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
